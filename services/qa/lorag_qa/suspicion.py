"""Passages that read like orders to a model. They are still passages: shown and searched, but marked for the reader."""

from __future__ import annotations

import re
import unicodedata

from lorag_common.neutral import has_control

_ORDERS = re.compile(
    r"(?:ignore|disregard|forget|override|bypass)\b.{0,40}\b(?:instructions?|rules?|prompts?|above|previous|guidelines?)"
    r"|\byou are (?:now|no longer)\b|\b(?:new|updated|hidden) (?:instructions?|system prompt)\b|\bsystem prompt\b"
    r"|\b(?:reply|respond|answer|output|print|say) (?:only|exactly|with)\b|\bdo not (?:cite|follow|mention)\b"
    r"|\b(?:reveal|repeat|print) (?:your|the) (?:system|prompt|instructions)"
    r"|(?:指示|命令|ルール|規則|プロンプト|制約)(?:は|を|に).{0,12}(?:無視|忘れ|破棄|従わ|上書き|優先)"
    r"|(?:無視|破棄)し(?:て|ろ|なさい)|あなたは(?:今|いま|これ)から|システムプロンプト|(?:と|だけ)(?:答え|回答し|出力し|返し)(?:ろ|なさい|てください|よ)"
    r"|(?:引用|出典|番号)(?:を|は).{0,6}(?:付け|つけ|書か)(?:る?な|ないで)",
    re.IGNORECASE | re.DOTALL,
)
# What only a model reads: the tag characters, which mirror ASCII unseen, and a dialogue that is put into its mouth.
_UNSEEN = re.compile("[\U000e0020-\U000e007f]{4}")
_DIALOGUE = re.compile(
    r"(?:^|\n)\s*#*\s*(?:assistant|system|アシスタント|システム)\s*[:：]|\b(?:dear|hey|attention)\s+(?:ai|assistant|model)\b"
    r"|(?:repeat|output|print) (?:the|all) (?:text|words|lines) above|上の(?:文章|内容|文)を.{0,12}(?:出力|表示|繰り返)",
    re.IGNORECASE,
)


def is_suspicious(text: str) -> bool:
    """Whether a passage reads like an order to the model or holds the spelling of a control token."""
    plain = unicodedata.normalize("NFKC", text)
    return any(p.search(plain) for p in (_ORDERS, _UNSEEN, _DIALOGUE)) or has_control(text)
