"""PDF -> the text of its pages: by pypdf, by pdfium where that is missing or not to be believed, else "needs OCR".

pdfium reads every page as well, because only it knows where each character stands. Where the places tell what the order of
the content hides (columns, ruby, text that nobody sees), the text is put together from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pypdf
import pypdfium2
from pypdf.errors import LimitReachedError
from pypdfium2 import raw as pdfium

from lorag_common.errors import LoragError, Reason
from lorag_common.log import get_logger
from lorag_indexer.glyphs import Glyph, Projection, read_glyphs
from lorag_indexer.layout import Layout, arrange
from lorag_indexer.nesting import too_deep
from lorag_indexer.normalize import readable, unify
from lorag_indexer.pages import PageState, PageText, Rectangle
from lorag_indexer.quality import FEW, bad_share, is_garbled, visible_length

log = get_logger(__name__)

HEADER_BYTES = 1024
SCAN_COVERAGE = 0.5
# Two readings of a page that share less than this share of their characters are two different texts.
ALIKE = 0.9
TOO_LARGE = "unpacks to far more than a page holds"
TOO_DEEP = "is nested deeper than a reader can follow"
PYPDF, PDFIUM, LAYOUT = "pypdf", "pdfium", "pdfium-layout"

Limit = Callable[[str], AbstractContextManager[None]]
"""Makes a context that bounds one reader's time on one page, given the reader's name."""


@dataclass(frozen=True)
class _Seen:
    """What pdfium knows of a page."""

    text: str = ""
    layout: Layout = field(default_factory=lambda: Layout([]))
    glyphs: tuple[Glyph, ...] = ()
    projection: Projection | None = None
    scanned: bool = False


class OpenPdf:
    """A PDF opened by both libraries.

    Args:
        path: the file.
        by_pypdf: whether pypdf is asked at all.

    Raises:
        LoragError: NOT_A_PDF, PDF_DAMAGED, PDF_ENCRYPTED.
    """

    def __init__(self, path: Path, by_pypdf: bool = True) -> None:
        with path.open("rb") as f:
            if b"%PDF-" not in f.read(HEADER_BYTES):
                raise LoragError(Reason.NOT_A_PDF, "The file does not begin like a PDF.")
        try:
            self._pdfium = pypdfium2.PdfDocument(path)
        except pypdfium2.PdfiumError as error:
            if getattr(error, "err_code", None) == pdfium.FPDF_ERR_PASSWORD:
                raise LoragError(Reason.PDF_ENCRYPTED, "The PDF asks for a password.") from error
            raise LoragError(Reason.PDF_DAMAGED, f"The file begins like a PDF but cannot be opened: {error}") from error
        self.page_count = len(self._pdfium)
        if not self.page_count:
            raise LoragError(Reason.PDF_DAMAGED, "The PDF has no pages.")
        self._path = path
        self._wants_pypdf = by_pypdf
        self._reader: pypdf.PdfReader | None = None
        self._too_large: set[int] = set()

    def close(self) -> None:
        """Give the files back."""
        self._pdfium.close()

    def page(self, number: int, limit: Limit | None = None, without: frozenset[str] = frozenset()) -> PageText:
        """Extract one page, counted from 1.

        Args:
            number: the page.
            limit: bounds the time of a reader, which a hostile page can hold up.
            without: readers that are not to be asked, because they crashed on this page.
        """
        limit = limit or _unlimited
        first = "" if PYPDF in without else self._by_pypdf(number, limit)
        seen = _Seen() if PDFIUM in without else self._by_pdfium(number, limit)
        method, raw = _choose(first, seen)
        score = 1.0 - bad_share(raw)
        page = PageText(number, PageState.TEXT, readable(raw), raw, method, score=round(score, 4))
        if is_garbled(raw) or _of_four_bytes(first):
            return _changed(page, state=PageState.NEEDS_OCR, text="")
        if visible_length(raw) < FEW and seen.scanned:
            return _changed(page, state=PageState.NEEDS_OCR, **_details(raw, seen, method))
        if not visible_length(raw) and (problem := self._refused(number)):
            return _changed(page, state=PageState.UNREADABLE, text="", score=0.0, notes=(problem,))
        if not visible_length(raw):
            state = PageState.NEEDS_OCR if seen.projection is None or self._has_marks(number) else PageState.BLANK
            return _changed(page, state=state, text="", **_details(raw, seen, method))
        return _changed(page, **_details(raw, seen, method))

    def image(self, number: int, width: int, most_pixels: int = 1 << 30) -> Any:
        """The page drawn as a Pillow image in RGB, `width` pixels wide, or less where that would be too many pixels."""
        page = self._pdfium[number - 1]
        across, down = (max(1.0, v) for v in page.get_size())
        scale = min(width / across, (most_pixels / (across * down)) ** 0.5)
        return page.render(scale=scale).to_pil().convert("RGB")

    def has_scripts(self) -> bool:
        """Whether the file carries JavaScript. Nothing here ever runs it."""
        names = pdfium.FPDFDoc_GetJavaScriptActionCount(self._pdfium.raw)
        return bool(names > 0)

    def _pypdf(self) -> pypdf.PdfReader | None:
        if self._reader is None and self._wants_pypdf:
            try:
                reader = pypdf.PdfReader(self._path, strict=False)
                if reader.is_encrypted:
                    reader.decrypt("")
                len(reader.pages)
                self._reader = reader
            except Exception as error:
                log.warning("pypdf cannot open the file; pdfium reads it", error=str(error)[:200])
                self._wants_pypdf = False
        return self._reader

    def _by_pypdf(self, number: int, limit: Limit) -> str:
        try:
            with limit(PYPDF):
                reader = self._pypdf()
                return "" if reader is None else reader.pages[number - 1].extract_text()
        except LimitReachedError as error:
            log.warning("a page unpacks to more than pypdf allows", page=number, error=str(error)[:200])
            self._too_large.add(number)
            return ""
        except Exception as error:
            # A page that one library stumbles over is read by the other; whatever it raises, nothing is lost by it.
            log.warning("pypdf cannot read the page; pdfium reads it", page=number, error=str(error)[:200])
            return ""

    def _by_pdfium(self, number: int, limit: Limit) -> _Seen:
        try:
            with limit(PDFIUM):
                page = self._pdfium[number - 1]
                textpage = page.get_textpage()
                text: str = textpage.get_text_bounded().replace("\r\n", "\n")
                projection = Projection(page)
                scanned = self._looks_scanned(page)
                glyphs = read_glyphs(page, textpage.raw, projection)
                return _Seen(text, arrange(glyphs, scanned), tuple(glyphs), projection, scanned)
        except pypdfium2.PdfiumError as error:
            log.warning("pdfium cannot read the page", page=number, error=str(error))
            return _Seen()

    def _refused(self, number: int) -> str:
        """Why no reader tells anything of a page that is not blank; empty when nothing is known against it."""
        if number in self._too_large:
            return TOO_LARGE
        reader = self._pypdf()
        if reader is None:
            return TOO_DEEP if self._file_too_deep else ""
        try:
            contents = reader.pages[number - 1].get_contents()
            return TOO_DEEP if contents is not None and too_deep(contents.get_data()) else ""
        except MemoryError:
            raise
        except Exception as error:
            log.warning("pypdf cannot unpack the page", page=number, error=str(error)[:200])
            return ""

    @cached_property
    def _file_too_deep(self) -> bool:
        return too_deep(self._path.read_bytes())

    def _has_marks(self, number: int) -> bool:
        """Whether anything is drawn on the page; unknown counts as yes."""
        try:
            return any(True for _ in self._pdfium[number - 1].get_objects(max_depth=1))
        except pypdfium2.PdfiumError:
            return True

    @staticmethod
    def _looks_scanned(page: Any) -> bool:
        """Whether one image covers most of the page."""
        width, height = page.get_size()
        for image in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=4):
            left, bottom, right, top = image.get_bounds()
            if abs((right - left) * (top - bottom)) >= SCAN_COVERAGE * width * height:
                return True
        return False


def _choose(first: str, seen: _Seen) -> tuple[str, str]:
    """Which reading is believed: its name and its text."""
    if _tells_more(seen) and visible_length(seen.layout.text) and not is_garbled(seen.layout.text):
        return LAYOUT, seen.layout.text
    if not visible_length(seen.layout.text) and seen.layout.left_out and not is_garbled(seen.text):
        return LAYOUT, ""
    if bad_share(first) == 0 and _alike(first, seen.text):
        return PYPDF, first
    # The less garbled, then the longer by far; of two equal ones pdfium's, which knows more of Japan's encodings.
    readings = [(PDFIUM, seen.text), (PYPDF, first)]
    longest = max(visible_length(text) for _, text in readings) or 1
    return min(readings, key=lambda r: (is_garbled(r[1]), round(1 - visible_length(r[1]) / longest), bad_share(r[1])))


def _of_four_bytes(text: str) -> bool:
    """Whether every other character is zero: an encoding of four bytes taken for two. pdfium drops half of such a line."""
    return text.count("\0") > len(text) / 3


def _tells_more(seen: _Seen) -> bool:
    """Whether the places of the characters change what is read: its order, its rows, what belongs to it."""
    layout = seen.layout
    if layout.left_out or {"columns", "rows of a table", "vertical text"} & set(layout.notes):
        return True
    content = "".join(g.char for g in seen.glyphs if not g.char.isspace())
    return content != "".join(layout.text.split())


def _alike(a: str, b: str) -> bool:
    first, second = Counter("".join(unify(a).split())), Counter("".join(unify(b).split()))
    return (first & second).total() >= ALIKE * max(first.total(), second.total())


def _details(raw: str, seen: _Seen, method: str) -> dict[str, Any]:
    if seen.projection is None:
        return {}
    left_out = seen.layout.left_out if method == LAYOUT else 0
    return {
        "lines": _places(raw, seen, method),
        "notes": seen.layout.notes,
        "vertical": seen.layout.vertical and seen.projection.upright(seen.glyphs),
        "left_out": left_out,
    }


def _places(raw: str, seen: _Seen, method: str) -> tuple[Rectangle | None, ...]:
    """Where each line of `raw` stands."""
    if method == LAYOUT:
        rows = [[g for g in line if isinstance(g, Glyph)] for line in seen.layout.lines]
        return tuple(_around(row, seen) for row in rows)
    glyphs = [g for g in seen.glyphs if not g.char.isspace()]
    text = "".join(unify(g.char)[:1] or " " for g in glyphs)
    out: list[Rectangle | None] = []
    at = 0
    for line in raw.split("\n"):
        wanted = "".join("".join(unify(c)[:1] for c in line).split())
        found = text.find(wanted, at) if wanted else -1
        if found < 0 and wanted:
            found = text.find(wanted)
        out.append(_around(glyphs[found : found + len(wanted)], seen) if found >= 0 else None)
        at = found + len(wanted) if found >= 0 else at
    return tuple(out)


def _around(glyphs: list[Glyph], seen: _Seen) -> Rectangle | None:
    if not glyphs or seen.projection is None:
        return None
    return seen.projection.rectangle(
        min(g.left for g in glyphs),
        min(g.bottom for g in glyphs),
        max(g.right for g in glyphs),
        max(g.top for g in glyphs),
    )


def _changed(page: PageText, **changes: Any) -> PageText:
    return PageText.from_dict(page.as_dict() | changes)


@contextmanager
def _unlimited(_: str) -> Iterator[None]:
    yield
