"""Where a citation stands on its page: of a passage's lines those that it touches, each cut to its words."""

from __future__ import annotations

import pytest

from lorag_qa.checked import Checker
from lorag_qa.search import Box, Found, Line
from lorag_qa.sentences import split_answer

# Two lines of ten full-width characters each, from the page's character 100 on.
TEXT = "青森館の定員は百人です秋田館の定員は九人です"
ACROSS = (Line((100, 111), Box(0.1, 0.2, 0.9, 0.22)), Line((111, 122), Box(0.1, 0.3, 0.9, 0.32)))


def passage(lines: tuple[Line, ...], text: str = TEXT) -> Found:
    return Found("d", "a.pdf", 1, (100, 100 + len(text)), text, 1.0, lines)


def test_a_span_has_a_box_for_each_line_that_it_touches() -> None:
    found = passage(ACROSS)
    assert found.boxes((100, 122)) == tuple(line.box for line in ACROSS)
    assert found.boxes((111, 122)) == (ACROSS[1].box,)
    assert found.boxes((122, 130)) == ()
    assert passage(()).boxes((100, 122)) == ()


def test_within_a_line_the_box_is_cut_to_the_words_by_their_widths() -> None:
    (box,) = passage(ACROSS).boxes((102, 104))
    assert box == pytest.approx((0.1 + 0.8 * 2 / 11, 0.2, 0.1 + 0.8 * 4 / 11, 0.22))
    mixed = passage((Line((100, 106), Box(0.0, 0.2, 0.8, 0.22)),), "ab青森cd")
    assert mixed.boxes((102, 104)) == (pytest.approx((0.2, 0.2, 0.6, 0.22)),)


def test_a_vertical_line_is_cut_from_top_to_bottom() -> None:
    down = passage((Line((100, 110), Box(0.5, 0.1, 0.53, 0.6)),))
    assert down.boxes((100, 105)) == (pytest.approx((0.5, 0.1, 0.53, 0.35)),)


def test_a_short_line_whose_direction_cannot_be_told_is_taken_whole() -> None:
    short = passage((Line((100, 102), Box(0.5, 0.1, 0.51, 0.12)),), "il")
    assert short.boxes((101, 102)) == (Box(0.5, 0.1, 0.51, 0.12),)


def test_a_citation_carries_the_boxes_of_its_own_sentence_alone() -> None:
    text = "青森館の定員は482人である。秋田館の定員は97人である。"
    cut = text.index("秋田")
    lines = (
        Line((100, 100 + cut), Box(0.1, 0.2, 0.9, 0.22)),
        Line((100 + cut, 100 + len(text)), Box(0.1, 0.3, 0.9, 0.32)),
    )
    (sentence,) = split_answer("秋田館の定員は97人です。[1]")
    (citation, *_) = Checker([passage(lines, text)]).check(sentence, strict=False).citations
    assert citation.quote == "秋田館の定員は97人である。"
    assert citation.span == (100 + cut, 100 + len(text))
    assert citation.boxes == (lines[1].box,)
