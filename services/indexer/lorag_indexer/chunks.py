"""A page's text -> chunks: whole sentences packed up to a size, each knowing where it stands on the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

_CLOSING = "」』）)】］\\]”’\"'"
# After 。！？ with what closes it; after . ! ? only before white space and something that may begin a sentence.
_END = re.compile(
    rf"[。！？]+[{_CLOSING}]*|(?<![0-9])．[{_CLOSING}]*|[.!?]+[{_CLOSING}]*(?=\s+[A-Z0-9\"'(“\u3040-\u9fff])|\n+"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|Nos|Fig|Figs|Eq|vs|cf|e\.g|i\.e|etc|al|pp|vol|approx)|\b[A-Z])\.$"
)
# 「…。」と続く: the quoted sentence goes on.
_GOES_ON = re.compile(r"[とっをがはにのでもや、]")
CHUNKER = "sentences-2"
# A line of its own that names what follows: a chunk begins with it, so that the text comes with its heading.
_HEADING = re.compile(
    r"(?:#{1,6}\s|第[0-9０-９〇一二三四五六七八九十百]+[編部章節条款]"
    r"|[0-9０-９]+(?:[.．][0-9０-９]+)*[.．]?[ \u3000]\S|[■□◆◇●○【]|附則|付録)"
)
_HEADING_CHARACTERS = 60
_SOFT_END = re.compile(r"[、，,;；：:]\s*|\s+")


@dataclass(frozen=True)
class Chunk:
    """A passage of one page; `start` and `end` count characters of the page's text, `page` counts from 1."""

    id: str
    document_id: str
    page: int
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class ChunkSettings:
    """How pages are cut.

    Attributes:
        characters: a chunk is at most this long.
        sentences: and has at most this many sentences; 0 means any number.
        overlap: sentences that a chunk repeats of the one before, when they take no more than half of it.
        tokens: what `characters` come to in the embedder's tokens; 0 when it was not asked.
        chunker: the version of this file's way; "sentences-1" packed across headings.
    """

    characters: int = 400
    sentences: int = 0
    overlap: int = 1
    tokens: int = 0
    chunker: str = CHUNKER

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> ChunkSettings:
        """Inverse of `as_dict`; what was written before there were versions is the first one."""
        return cls(**{"chunker": "sentences-1"} | d)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


Span = tuple[int, int]


def chunk_page(document_id: str, page: int, text: str, settings: ChunkSettings) -> list[Chunk]:
    """Cut one page's text. The ids are the same whenever text and settings are."""
    limit = settings.characters
    pieces = [piece for span in sentence_spans(text) for piece in _within(text, span, limit)]
    headings = {n for n, span in enumerate(pieces) if _is_heading(text, span)} if settings.chunker == CHUNKER else set()
    chunks: list[Chunk] = []
    first = 0
    while first < len(pieces):
        last = _pack(pieces, first, settings, headings)
        start, end = pieces[first][0], pieces[last][1]
        chunks.append(Chunk(f"{document_id}:{page}:{len(chunks)}", document_id, page, start, end, text[start:end]))
        first = last + 1 if last + 1 in headings else _next_first(pieces, first, last, settings)
    return chunks


def sentence_spans(text: str) -> Iterator[Span]:
    """Spans of the sentences, without the white space around them. A line break ends a sentence, being no mere wrap."""
    begin = 0
    for match in _END.finditer(text):
        end = match.end()
        if match.group()[0] in ".!?" and _ABBREVIATION.search(text, begin, end):
            continue
        if match.group()[-1] in "」』" and _GOES_ON.match(text, end):
            continue
        yield from _trimmed(text, begin, end)
        begin = end
    yield from _trimmed(text, begin, len(text))


def _trimmed(text: str, begin: int, end: int) -> Iterator[Span]:
    part = text[begin:end]
    if stripped := part.strip():
        begin += part.index(stripped[0])
        yield begin, begin + len(stripped)


def _within(text: str, span: Span, limit: int) -> Iterator[Span]:
    """Cut a sentence that is longer than a chunk at a comma or a space, else where it must be."""
    begin, end = span
    while end - begin > limit:
        cut = begin + limit
        for match in _SOFT_END.finditer(text, begin + limit // 2, cut):
            cut = match.end()
        yield from _trimmed(text, begin, cut)
        begin = cut
    yield from _trimmed(text, begin, end)


def _is_heading(text: str, span: Span) -> bool:
    begin, end = span
    alone = (begin == 0 or text[begin - 1] == "\n") and (end == len(text) or text[end] == "\n")
    return alone and end - begin <= _HEADING_CHARACTERS and bool(_HEADING.match(text, begin))


def _pack(pieces: list[Span], first: int, settings: ChunkSettings, headings: set[int]) -> int:
    """Index of the last piece that goes into a chunk which begins with `first`."""
    last = first
    while last + 1 < len(pieces):
        if last + 1 in headings and last not in headings:
            break
        if settings.sentences and last + 2 - first > settings.sentences:
            break
        if pieces[last + 1][1] - pieces[first][0] > settings.characters:
            break
        last += 1
    return last


def _next_first(pieces: list[Span], first: int, last: int, settings: ChunkSettings) -> int:
    if last + 1 >= len(pieces):
        return len(pieces)
    following = last + 1
    for candidate in range(max(first + 1, following - settings.overlap), following):
        # Repeating must be worth it: small beside the chunk, and the next sentence still has to fit.
        repeated = pieces[last][1] - pieces[candidate][0]
        fits = pieces[following][1] - pieces[candidate][0] <= settings.characters
        many = settings.sentences and following - candidate >= settings.sentences
        if repeated * 2 <= settings.characters and fits and not many:
            return candidate
    return following
