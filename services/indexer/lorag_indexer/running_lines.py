"""Headers and footers: lines at the edge of a page that come again on most pages.

A line that says the very same on most pages is one; a line that differs only in its numbers is one when it also stands apart
from the text, because sentences of a form differ only in their numbers too.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from lorag_indexer.pages import PageText, Rectangle

NOTE = "headers and footers left out"
EDGE = 0.12
FEWEST_PAGES = 3
SHARE = 0.5
APART = 1.6
_NUMBER = re.compile(r"[0-9〇一二三四五六七八九十百千]+|\b[ivxlcdm]+\b")


class RunningLines:
    """Counts the edge lines of a document's pages, then tells which lines of a page come again and again."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._pages = 0

    def add(self, page: PageText) -> None:
        """Look at one page."""
        self._counts.update({key for _, keys in _edge_lines(page) for key in keys})
        self._pages += bool(page.raw.strip())

    def of(self, page: PageText) -> tuple[int, ...]:
        """Lines of `page.raw`, counted from 0, that are headers or footers."""
        least = max(FEWEST_PAGES, SHARE * self._pages)
        return tuple(n for n, keys in _edge_lines(page) if any(self._counts[key] >= least for key in keys))


def _edge_lines(page: PageText) -> Iterator[tuple[int, list[str]]]:
    """Lines at the upper and lower edge: the line's number, and under which keys it is the same line on other pages."""
    lines = page.raw.split("\n")
    if len(lines) != len(page.lines):
        return
    boxes = sorted((box for box in page.lines if box is not None), key=lambda b: b[1])
    gaps = [max(0.0, b[1] - a[3]) for a, b in pairwise(boxes)]
    usual = sorted(gaps)[len(gaps) // 4] if gaps else 0.0
    for number, (line, box) in enumerate(zip(lines, page.lines, strict=True)):
        if box is None or not line.strip():
            continue
        edge = "top" if box[3] <= EDGE else "bottom" if box[1] >= 1 - EDGE else ""
        if edge:
            text = "".join(unicodedata.normalize("NFKC", line).lower().split())
            keys = [f"{edge} {text}"]
            if _apart(boxes, edge, box, usual):
                keys.append(f"{edge} like {_NUMBER.sub('#', text)}")
            yield number, keys


def _apart(boxes: list[Rectangle], edge: str, box: Rectangle, usual: float) -> bool:
    """Whether a gap wider than those between the page's lines lies between an edge line and the text."""
    height = box[3] - box[1]
    for a, b in pairwise(boxes):
        wide = b[1] - a[3] > max(APART * usual, 0.5 * height)
        if edge == "top":
            between = box[3] <= a[3] <= 2 * EDGE
        else:
            between = 1 - 2 * EDGE <= b[1] <= box[1]
        if wide and between:
            return True
    return len(boxes) == 1
