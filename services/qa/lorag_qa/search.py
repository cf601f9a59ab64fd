"""What qa asks of the indexer, and where on a page it stands."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

# Of fewer characters it cannot be told from its box whether a line runs across or down; it is taken whole.
SHORT = 4


class Box(NamedTuple):
    """A rectangle on a page, in shares of its width and height, from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Line:
    """A line of a passage: its characters of the page's text, and the box they stand in."""

    span: tuple[int, int]
    box: Box


@dataclass(frozen=True)
class Found:
    """One passage with where it stands; `span` in characters of the page's text; `lines` where their places are known."""

    document_id: str
    document: str
    page: int
    span: tuple[int, int]
    text: str
    score: float
    lines: tuple[Line, ...] = ()

    def boxes(self, span: tuple[int, int]) -> tuple[Box, ...]:
        """Where a span of the page's text stands, as far as this passage holds it: a box a line."""
        return tuple(self._part(line, span) for line in self.lines if line.span[0] < span[1] and span[0] < line.span[1])

    def _part(self, line: Line, span: tuple[int, int]) -> Box:
        """Of a line's box the part of a span, by the widths of the characters before and in it."""
        text = self.text[line.span[0] - self.span[0] : line.span[1] - self.span[0]]
        first, last = max(span[0] - line.span[0], 0), min(span[1], line.span[1]) - line.span[0]
        whole = _width(text) or 1
        begin, end = _width(text[:first]) / whole, _width(text[:last]) / whole
        left, top, right, bottom = line.box
        if len(text) < SHORT:
            return line.box
        if bottom - top > right - left:
            return Box(left, top + (bottom - top) * begin, right, top + (bottom - top) * end)
        return Box(left + (right - left) * begin, top, left + (right - left) * end, bottom)


def _width(text: str) -> int:
    """In half-width characters."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@dataclass(frozen=True)
class Retrieved:
    """What a search found, best first, and what a person should know of it."""

    passages: tuple[Found, ...]
    notices: tuple[str, ...] = ()


class Searcher(Protocol):
    """Finds passages."""

    async def search(
        self, query: str, *, top_k: int, vector_weight: float | None, document_ids: Sequence[str]
    ) -> Retrieved:
        """Find passages; none when no passage fits.

        Raises:
            LoragError: INDEX_EMPTY when no document is indexed; MODEL_SERVER_UNAVAILABLE, SERVICE_UNAVAILABLE.
        """
        ...
