"""Syntax that is nested deeper than readers follow is told from syntax that is not."""

from __future__ import annotations

import time

import hostile_pdfs as hostile
import pytest

from lorag_indexer.nesting import DEEPEST, too_deep


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b"<</A ", b">>"), (b"q ", b" Q ")])
def test_the_limit_is_a_limit(opening: bytes, closing: bytes) -> None:
    assert not too_deep(opening * DEEPEST + closing * DEEPEST)
    assert too_deep(opening * (DEEPEST + 1) + closing * (DEEPEST + 1))


def test_what_is_closed_again_is_not_deep() -> None:
    assert not too_deep(b"[1 2] q /F1 12 Tf Q <</A[1]>>" * 10_000)


def test_brackets_in_strings_comments_and_streams_are_no_nesting() -> None:
    assert not too_deep(b"(" + b"[" * 1000 + b")")
    assert not too_deep(b"% " + b"[" * 1000 + b"\n[1]")
    assert not too_deep(b"<</Length 1000>>stream\n" + b"[" * 1000 + b"\nendstream")
    assert not too_deep(b"/qq aq q1 " * 1000)


def test_real_and_long_files_are_not_deep() -> None:
    assert not too_deep(hostile.HANDBOOK.read_bytes())
    assert not too_deep(hostile.many_pages(1000))


@pytest.mark.parametrize("unit", [b"(", b"(a", b"(\\", b"stream", b"%(", b"q("])
def test_syntax_that_never_closes_takes_linear_time(unit: bytes) -> None:
    started = time.perf_counter()
    too_deep(unit * 1_000_000)
    assert time.perf_counter() - started < 10
