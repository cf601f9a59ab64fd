"""The Japanese characters that the tiny model's tokenizer knows as tokens of their own.

Everything outside these lists still works, as UTF-8 bytes, but the tiny model copies it less surely.
"""

from __future__ import annotations

KATAKANA = (
    "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"
    "ガギグゲゴザジズゼゾダデドバビブベボパピプペポ"
)
ALL_KANA = "".join(map(chr, [*range(0x3041, 0x3094), *range(0x30A1, 0x30F7)]))
PUNCTUATION = "ー々、。「」（）：？・〜"
FAMILY_NAME_CHARACTERS = (
    "田中山川佐藤鈴木高橋伊渡辺小林加吉村松井清水森池石原岡島西東北南青白黒赤金銀大上下前後内外宮谷野沢崎本口戸倉"
)
GIVEN_NAME_CHARACTERS = "翔太美咲健一郎子花恵真由紀結衣誠浩司明久和夫正義直樹愛奈菜優香里穂千春夏秋冬彦介"

# Words of offices, manuals and rules: the stock that the demo's documents, headings and attributes are written from.
DEMO_CHARACTERS = (
    "会議室 計画 工場 班 店舗 号 館 橋 講座 装置 倉庫 公園 研修 港 医院 塔 図書室 食堂 駐車場 受付 事務局 本社 支社 "
    "定員 重さ 長さ 高さ 深さ 上限 速度 保証期間 面積 席数 平方 予算 価格 手数料 利用料 修理費 家賃 料金 費用 売上 "
    "期限 開業日 開始日 終了日 点検日 完成日 発売日 責任者 担当者 持ち主 検査員 管理者 館長 係長 部長 社長 "
    "部屋番号 型番 製造番号 登録番号 内線番号 許可番号 電話 所在地 集合場所 保管場所 避難場所 入口 出口 "
    "合言葉 出身地 仕入先 愛称 色 協賛 施設案内 設備台帳 事業一覧 規程 資料 質問 何 答え 回答 根拠 出典 参照 付ける "
    "詳しくは別紙のとおり 先週更新された 不明な点は問い合わせること 規則は全員に適用 来客は名簿に記入 以下注意 "
    "第一章 二節 三条 四項 表 図 年度 毎月 週 曜日 午前 午後 時 分 秒 個 枚 冊 本 回 歳 階 室 棟 県 市 区 町 村 番地 "
    "人 台 円 万 日 月 年 か月 営業 保険 製品 電源 電圧 充電 交換 修理 水温 圧力 点検 清掃 手順 危険 安全 情報 申請 "
    "就業 有給休暇 出張 旅費 精算 宿泊 経理 総務 人事 健康診断 制度 退職 教育 訓練 技術 開発 生産 品質 運転 停止 "
    "新旧 左右 最大 最小 合計 平均 目標 実績 予定 変更 追加 確認 承認 連絡 報告 記録 保存 配布 使用 利用 貸出 返却"
)
# What invented Japanese attributes and nouns are drawn from; の, は and です mark a sentence's structure and stay out.
WORD_CHARACTERS = "".join(sorted({c for c in DEMO_CHARACTERS if "\u3041" <= c <= "\u9fff" and c not in "のはです、。"}))
