"""What is kept of one page, and where on it a span of its text stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from lorag_indexer.normalize import readable, unify, width
from lorag_indexer.quality import visible_length

Rectangle: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in shares of the page's width and height as it is drawn, from the upper left corner."""


@dataclass(frozen=True)
class Placed:
    """A part of a line: its characters of the page's text, and where they stand."""

    span: tuple[int, int]
    box: Rectangle


class PageState(StrEnum):
    """What became of a page."""

    TEXT = "text"
    BLANK = "blank"
    NEEDS_OCR = "needs_ocr"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class PageText:
    """A page, counted from 1. `raw` is what the extractor returned, `text` what spans and citations refer to.

    Attributes:
        extractor: what read it.
        score: share of its characters that make sense, 0 to 1.
        notes: what a person should know of it.
        lines: for each line of `raw` where it stands, None where that is not known.
        dropped: lines of `raw`, counted from 0, that are headers and footers and not in `text`.
        left_out: characters that the extractor left out of `raw`, such as ruby.
        vertical: whether its lines run from top to bottom.
    """

    page: int
    state: PageState
    text: str
    raw: str
    extractor: str
    score: float = 1.0
    notes: tuple[str, ...] = ()
    lines: tuple[Rectangle | None, ...] = ()
    dropped: tuple[int, ...] = ()
    left_out: int = 0
    vertical: bool = False

    @property
    def characters(self) -> int:
        """Characters of its text, white space not counted."""
        return visible_length(self.text)

    @property
    def characters_left_out(self) -> int:
        """Characters that are on the page and not in its text."""
        lines = self.raw.split("\n")
        return self.left_out + sum(visible_length(lines[i]) for i in self.dropped)

    def without_lines(self, dropped: tuple[int, ...], note: str) -> PageText:
        """The same page, its text without these lines of `raw`."""
        kept = "\n".join(line for i, line in enumerate(self.raw.split("\n")) if i not in dropped)
        notes = self.notes if note in self.notes else (*self.notes, note)
        values = self.as_dict() | {"text": readable(kept), "dropped": dropped, "notes": notes}
        return PageText.from_dict(values)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> PageText:
        """Inverse of `as_dict`."""
        lines = tuple(None if box is None else (box[0], box[1], box[2], box[3]) for box in d.get("lines", ()))
        more = {"lines": lines, "notes": tuple(d.get("notes", ())), "dropped": tuple(d.get("dropped", ()))}
        return cls(**d | more | {"state": PageState(d["state"])})

    def boxes(self, start: int, end: int) -> list[Rectangle]:
        """Where the span [start, end) of `text` stands: a box a line, as far as the places of the lines are known.

        Within a line the place is interpolated by the widths of its characters.
        """
        return [placed.box for placed in self.placed(start, end)]

    def placed(self, start: int, end: int) -> list[Placed]:
        """As `boxes`, each with the characters of `text` that stand in it."""
        raw_lines = self.raw.split("\n")
        if len(raw_lines) != len(self.lines):
            return []
        out: list[Placed] = []
        for number, first, last, span in self._pieces(start, end, raw_lines):
            if (box := self.lines[number]) is not None:
                line = raw_lines[number]
                whole = width(line) or 1
                part = _part(box, width(line[:first]) / whole, width(line[:last]) / whole, self.vertical)
                out.append(Placed(span, part))
        return out

    def _pieces(self, start: int, end: int, raw_lines: list[str]) -> Iterator[tuple[int, int, int, tuple[int, int]]]:
        """(line of raw, its first, one past its last character, their span of `text`) for each line that the span touches."""
        source = (
            (number, place, unify(c))
            for number, line in enumerate(raw_lines)
            if number not in self.dropped
            for place, c in enumerate(line)
            if not c.isspace()
        )
        current: list[int] = []
        # The text is what is left of raw's characters after some were taken out, so each is looked for in order.
        for position, c in enumerate(self.text[:end]):
            if c.isspace():
                continue
            found = next(((n, p) for n, p, other in source if other[:1] == c), None)
            if found is None:
                break
            if position < start:
                continue
            if current and current[0] == found[0]:
                current[2], current[4] = found[1] + 1, position + 1
                continue
            if current:
                yield current[0], current[1], current[2], (current[3], current[4])
            current = [found[0], found[1], found[1] + 1, position, position + 1]
        if current:
            yield current[0], current[1], current[2], (current[3], current[4])


def _part(box: Rectangle, first: float, last: float, vertical: bool) -> Rectangle:
    left, top, right, bottom = box
    if vertical:
        return left, top + (bottom - top) * first, right, top + (bottom - top) * last
    return left + (right - left) * first, top, left + (right - left) * last, bottom
