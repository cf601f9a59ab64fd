from __future__ import annotations

import pytest

from lorag_indexer.normalize import folded, readable, unify


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("⻑い⻄の⾨", "長い西の門"),
        ("⼾⽥さんの⻭", "戸田さんの歯"),
        ("か\u3099くせい", "がくせい"),
        ("①㌔ＡＢＣｱｲｳ", "①㌔ＡＢＣｱｲｳ"),
        ("神\ufa19社", "神\ufa19社"),
    ],
)
def test_font_artefacts_are_put_right_and_all_else_is_left(raw: str, text: str) -> None:
    assert unify(raw) == text


def test_folding_makes_variants_equal() -> None:
    assert folded("①㌔ＡＢＣｱｲｳ⻑") == "1キロabcアイウ長"


def test_a_japanese_line_wrapped_in_mid_sentence_is_one_line() -> None:
    lines = [
        "この手引きは日々の仕事の決まりをまとめたものであり、毎年四",
        "月に見直し、変わったところを掲示板で知らせることになってい",
        "る。",
    ]
    assert readable("\n".join(lines)) == "".join(lines)


def test_headings_items_and_paragraphs_keep_their_lines() -> None:
    raw = (
        "第一章 会社のあゆみ\nあさひ製作所は時計の歯車を作る小さな工場として生まれた。\n"
        "・歯車を手で磨く技術で知られて、国内に部品が広まった\n・海外の拠点は一か所\n\n次の段落。"
    )
    assert readable(raw).split("\n") == [
        "第一章 会社のあゆみ",
        "あさひ製作所は時計の歯車を作る小さな工場として生まれた。",
        "・歯車を手で磨く技術で知られて、国内に部品が広まった",
        "・海外の拠点は一か所",
        "次の段落。",
    ]


def test_english_lines_are_joined_by_a_space_and_hyphenated_words_closed_up() -> None:
    raw = (
        "The allowance for a journey is counted from the day of depar-\n"
        "ture and is paid with the salary of the following month, if\n"
        "the form came in time.\nA new paragraph."
    )
    assert readable(raw) == (
        "The allowance for a journey is counted from the day of departure and is paid with the salary of the "
        "following month, if the form came in time.\nA new paragraph."
    )


def test_soft_hyphens_and_control_characters_go() -> None:
    assert readable("inter\u00adnational exam\ufffe\nple\u200b\x07") == "international example"


def test_nothing_stays_nothing() -> None:
    assert readable("") == ""
    assert readable(" \n\n \f") == ""
