"""What can be looked at: pages as pictures, and what the indexes were made with."""

from __future__ import annotations

from typing import TypeAlias

from lorag_common.errors import LoragError, Reason
from lorag_indexer.documents import Library
from lorag_indexer.fusion_measure import Measurement
from lorag_indexer.index import Index
from lorag_indexer.measuring import Measuring
from lorag_indexer.meta import IndexMeta
from lorag_indexer.page_image import PageImage, draw_page
from lorag_indexer.pages import Placed
from lorag_indexer.pdf_check import CheckLimits

WIDTHS = range(100, 3001)
DEFAULT_WIDTH = 1000

IndexFacts: TypeAlias = tuple[IndexMeta, str, int, int, Measurement | None]
"""An index, its store, its documents, its chunks, what its fusion was measured to be."""


class Reading:
    """Looks at documents and indexes and changes nothing.

    Args:
        library: the documents.
        index: the index.
        measuring: knows the measurements.
        limits: what drawing a page may cost.
    """

    def __init__(self, library: Library, index: Index, measuring: Measuring, limits: CheckLimits) -> None:
        self._library = library
        self._index = index
        self._measuring = measuring
        self._limits = limits

    def render(self, document_id: str, page: int, span: tuple[int, int], width: int) -> tuple[PageImage, list[Placed]]:
        """A page with a span of its text highlighted, and where that is.

        Raises:
            LoragError: DOCUMENT_NOT_FOUND, INVALID_FIELD, PAGE_NOT_DRAWABLE.
        """
        document = self._library.get(document_id)
        if document.kind != "pdf":
            raise LoragError(Reason.PAGE_NOT_DRAWABLE, f"'{document.name}' is no PDF: it has no pages to draw.")
        if not 1 <= page <= document.page_count:
            raise LoragError(Reason.INVALID_FIELD, f"The document has pages 1 to {document.page_count}.", field="page")
        if width and width not in WIDTHS:
            raise LoragError(Reason.INVALID_FIELD, f"width must be {WIDTHS[0]} to {WIDTHS[-1]}.", field="width")
        folder = self._library.folder(document_id)
        extracted = folder.page(page)
        text = extracted.text if extracted else ""
        start, end = span
        if not 0 <= start <= end <= len(text):
            raise LoragError(Reason.INVALID_FIELD, f"The page's text has {len(text)} characters.", field="span_end")
        placed = extracted.placed(start, end) if extracted else []
        boxes = [part.box for part in placed]
        return draw_page(folder.original, page, width or DEFAULT_WIDTH, boxes, self._limits), placed

    def indexes(self) -> tuple[IndexFacts | None, IndexFacts | None]:
        """The index that serves, and the one that is kept."""
        return self._facts(self._index.meta), self._facts(self._index.previous)

    def _facts(self, meta: IndexMeta | None) -> IndexFacts | None:
        if meta is None:
            return None
        documents = len(self._index.documents_in(meta) - self._library.unfinished())
        return meta, self._index.kind, documents, self._index.count(meta), self._measuring.of(meta)
