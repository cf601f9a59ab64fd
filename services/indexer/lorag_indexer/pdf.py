"""PDF -> the text of its pages: by pypdf, by pdfium where that is missing or not to be believed, else "needs OCR"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pypdf
import pypdfium2
from pypdfium2 import raw as pdfium

from lorag_common.errors import LoragError, Reason
from lorag_common.log import get_logger
from lorag_indexer.normalize import readable
from lorag_indexer.quality import FEW, bad_share, is_garbled, visible_length

log = get_logger(__name__)

HEADER_BYTES = 1024
SCAN_COVERAGE = 0.5


class PageState(StrEnum):
    """What became of a page."""

    TEXT = "text"
    BLANK = "blank"
    NEEDS_OCR = "needs_ocr"


@dataclass(frozen=True)
class PageText:
    """A page, counted from 1. `raw` is what the extractor returned, `text` what spans and citations refer to."""

    page: int
    state: PageState
    text: str
    raw: str
    extractor: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> PageText:
        """Inverse of `as_dict`."""
        return cls(d["page"], PageState(d["state"]), d["text"], d["raw"], d["extractor"])


class OpenPdf:
    """A PDF opened by both libraries.

    Raises:
        LoragError: NOT_A_PDF, PDF_ENCRYPTED.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as f:
            if b"%PDF-" not in f.read(HEADER_BYTES):
                raise LoragError(Reason.NOT_A_PDF, "The file does not begin like a PDF.")
        try:
            self._pdfium = pypdfium2.PdfDocument(path)
        except pypdfium2.PdfiumError as error:
            if getattr(error, "err_code", None) == pdfium.FPDF_ERR_PASSWORD:
                raise LoragError(Reason.PDF_ENCRYPTED, "The PDF asks for a password.") from error
            raise LoragError(
                Reason.NOT_A_PDF, f"The file begins like a PDF but cannot be opened: {error}.", remedy="Save it anew."
            ) from error
        self.page_count = len(self._pdfium)
        if not self.page_count:
            raise LoragError(Reason.NOT_A_PDF, "The PDF has no pages.")
        self._pypdf = self._open_pypdf(path)

    def close(self) -> None:
        """Give the files back."""
        self._pdfium.close()

    def page(self, number: int, seconds: Callable[[], Any] | None = None) -> PageText:
        """Extract one page, counted from 1.

        Args:
            number: the page.
            seconds: makes a context that limits the time of pypdf, which a hostile page can hold up.
        """
        first = self._by_pypdf(number, seconds)
        if visible_length(first) >= FEW and bad_share(first) == 0:
            return PageText(number, PageState.TEXT, readable(first), first, "pypdf")
        second = self._by_pdfium(number)
        readings = [("pypdf", first), ("pdfium", second)]
        # The least garbled, then the longest.
        extractor, raw = min(readings, key=lambda r: (is_garbled(r[1]), -visible_length(r[1]), bad_share(r[1])))
        if is_garbled(raw):
            return PageText(number, PageState.NEEDS_OCR, "", raw, extractor)
        if visible_length(raw) < FEW and self._looks_scanned(number):
            return PageText(number, PageState.NEEDS_OCR, readable(raw), raw, extractor)
        if not visible_length(raw):
            state = PageState.NEEDS_OCR if self._has_marks(number) else PageState.BLANK
            return PageText(number, state, "", raw, extractor)
        return PageText(number, PageState.TEXT, readable(raw), raw, extractor)

    @staticmethod
    def _open_pypdf(path: Path) -> pypdf.PdfReader | None:
        try:
            reader = pypdf.PdfReader(path, strict=False)
            if reader.is_encrypted:
                reader.decrypt("")
            len(reader.pages)
        except Exception as error:
            log.warning("pypdf cannot open the file; pdfium reads it", error=str(error))
            return None
        return reader

    def _by_pypdf(self, number: int, seconds: Callable[[], Any] | None) -> str:
        if self._pypdf is None:
            return ""
        try:
            with seconds() if seconds else _unlimited():
                return self._pypdf.pages[number - 1].extract_text()
        except Exception as error:
            # A page that one library stumbles over is read by the other; whatever it raises, nothing is lost by it.
            log.warning("pypdf cannot read the page; pdfium reads it", page=number, error=str(error))
            return ""

    def _by_pdfium(self, number: int) -> str:
        try:
            text: str = self._pdfium[number - 1].get_textpage().get_text_bounded()
        except pypdfium2.PdfiumError as error:
            log.warning("pdfium cannot read the page", page=number, error=str(error))
            return ""
        return text.replace("\r\n", "\n")

    def _has_marks(self, number: int) -> bool:
        """Whether anything is drawn on the page; unknown counts as yes."""
        try:
            return any(True for _ in self._pdfium[number - 1].get_objects(max_depth=1))
        except pypdfium2.PdfiumError:
            return True

    def _looks_scanned(self, number: int) -> bool:
        """Whether one image covers most of the page."""
        try:
            page = self._pdfium[number - 1]
            width, height = page.get_size()
            for image in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=4):
                left, bottom, right, top = image.get_bounds()
                if abs((right - left) * (top - bottom)) >= SCAN_COVERAGE * width * height:
                    return True
        except pypdfium2.PdfiumError:
            return True
        return False


@contextmanager
def _unlimited() -> Iterator[None]:
    yield
