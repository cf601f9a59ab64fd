"""Markdown and plain text -> pages: a section of Markdown, some paragraphs of plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from lorag_common.errors import LoragError, Reason
from lorag_indexer.normalize import unify
from lorag_indexer.pages import PageState, PageText
from lorag_indexer.quality import bad_share, is_garbled

KINDS = {".md": "markdown", ".markdown": "markdown", ".txt": "text", ".text": "text"}
# Tried in this order; what a Japanese file that is not UTF-8 is written in shows in its bytes.
ENCODINGS = ("utf-8-sig", "cp932", "euc_jp")
PAGE_CHARACTERS = 3000
_JIS_ESCAPE = b"\x1b$"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_HEADING = re.compile(r"(?m)^#{1,6}\s")
_FENCE = re.compile(r"(?ms)^(```|~~~).*?^\1\s*$")


def kind_of(name: str) -> str:
    """How a file of that name is read: "pdf", "markdown" or "text"."""
    return KINDS.get(Path(name.lower()).suffix, "pdf")


def decode(content: bytes) -> tuple[str, str]:
    """A text file's text and the encoding it was in.

    Raises:
        LoragError: TEXT_UNREADABLE when no known encoding makes sense of it; DOCUMENT_EMPTY.
    """
    if not content.strip(b" \t\r\n\x0c\xef\xbb\xbf"):
        raise LoragError(Reason.DOCUMENT_EMPTY, "The file has no text in it.")
    if content.startswith(_UTF_16):
        return _decoded(content, "utf-16"), "utf-16"
    if b"\0" in content[:8192]:
        raise LoragError(Reason.TEXT_UNREADABLE, "The file has zero bytes in it: it is no text.")
    readings = []
    # ISO-2022-JP is all ASCII with escapes, and would pass as UTF-8.
    for encoding in ("iso2022_jp", *ENCODINGS) if _JIS_ESCAPE in content else ENCODINGS:
        try:
            text = _decoded(content, encoding)
        except LoragError:
            continue
        if encoding in ("utf-8-sig", "iso2022_jp"):
            return text, encoding.removesuffix("-sig")
        readings.append((bad_share(text[:20_000]), -_kana(text[:20_000]), encoding, text))
    if not readings or is_garbled(min(readings)[3][:20_000]):
        raise LoragError(
            Reason.TEXT_UNREADABLE, "The file is in none of UTF-8, UTF-16, ISO-2022-JP, Shift_JIS and EUC-JP."
        )
    best = min(readings)
    return best[3], best[2]


def text_pages(text: str, kind: str, encoding: str) -> Iterator[PageText]:
    """Pages of a text file, counted from 1; no text is lost between them."""
    plain = unify(text.replace("\r\n", "\n").replace("\r", "\n"))
    parts = _sections(plain) if kind == "markdown" else plain.split("\f")
    pieces = [piece for part in parts for piece in _cut(part)]
    note = () if encoding == "utf-8" else (f"read as {encoding}",)
    for number, piece in enumerate((p.strip("\n") for p in pieces if p.strip()), start=1):
        score = round(1.0 - bad_share(piece), 4)
        yield PageText(number, PageState.TEXT, piece, piece, "text", score=score, notes=note)


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise LoragError(Reason.TEXT_UNREADABLE, f"The file is not in {encoding}.") from error


def _kana(text: str) -> int:
    return sum("\u3040" <= c <= "\u30ff" for c in text)


def _sections(text: str) -> list[str]:
    """Cut before every heading that is not inside a fence of code."""
    fences = [m.span() for m in _FENCE.finditer(text)]
    starts = [m.start() for m in _HEADING.finditer(text) if not any(a <= m.start() < b for a, b in fences)]
    places = [0, *(s for s in starts if s), len(text)]
    sections = [text[a:b] for a, b in pairwise(places)]
    return _together(sections)


def _together(sections: list[str]) -> list[str]:
    """Short sections go with the one before, so that a heading alone is no page."""
    out: list[str] = []
    for section in sections:
        if out and len(out[-1]) + len(section) <= PAGE_CHARACTERS // 2:
            out[-1] += section
        else:
            out.append(section)
    return out


def _cut(text: str) -> Iterator[str]:
    """Pieces of at most PAGE_CHARACTERS, cut at an empty line, else at a line's end, else where it must be."""
    while len(text) > PAGE_CHARACTERS:
        cut = text.rfind("\n\n", PAGE_CHARACTERS // 3, PAGE_CHARACTERS)
        if cut < 0:
            cut = text.rfind("\n", PAGE_CHARACTERS // 3, PAGE_CHARACTERS)
        if cut < 0:
            cut = max(text.rfind(mark, PAGE_CHARACTERS // 3, PAGE_CHARACTERS) for mark in "。.!?！？")
        cut = PAGE_CHARACTERS if cut < 0 else cut + 1
        yield text[:cut]
        text = text[cut:]
    yield text
