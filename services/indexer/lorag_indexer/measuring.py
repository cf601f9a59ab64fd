"""When and with which questions an index's fusion is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lorag_common import rag_config
from lorag_common.errors import LoragError, Reason
from lorag_common.log import get_logger
from lorag_common.model_server import ModelServer
from lorag_indexer import fusion_measure, probes
from lorag_indexer.documents import Library
from lorag_indexer.fusion_measure import Measurement
from lorag_indexer.index import Index
from lorag_indexer.meta import IndexMeta
from lorag_indexer.pages import PageState, PageText
from lorag_indexer.store import Scope

log = get_logger(__name__)

MOST_PAGES = 400
QUESTION_TOKENS = 256


class Measuring:
    """Measures indexes and keeps what was found.

    Args:
        data: the data folder.
        library: the documents that probes are taken from.
        index: answers the probes.
    """

    def __init__(self, data: Path, library: Library, index: Index) -> None:
        self._data = data
        self._library = library
        self._index = index

    def of(self, meta: IndexMeta) -> Measurement | None:
        """What an index was measured to be."""
        return fusion_measure.load(self._data / "index", meta.table)

    def due(self, meta: IndexMeta) -> bool:
        """Whether an index has no measurement, or has twice the chunks that it had then."""
        known = self.of(meta)
        return known is None or (known.source != probes.GIVEN and self._index.count(meta) >= 2 * known.chunks)

    def measure(
        self, meta: IndexMeta, questions: Sequence[dict[str, Any]], generate: bool, stop: Callable[[], None]
    ) -> Measurement | None:
        """Measure an index and keep the result; None when there are too few questions to say anything.

        Args:
            meta: the index.
            questions: dictionaries of question, document_id and page; empty means from the documents.
            generate: without questions: whether the active model writes them.
            stop: raises when the job is to end; asked now and then.

        Raises:
            LoragError: what the embedder fails by; what `stop` raises.
        """
        source, found = self._probes(meta, questions, generate, stop)
        if len(found) < (1 if questions else probes.FEWEST_PROBES):
            log.info("fusion not measured: too few questions", questions=len(found))
            return None
        scope = Scope(without=self._library.unfinished())

        def legs(question: str) -> Any:
            stop()
            return self._index.legs(meta, question, fusion_measure.CANDIDATES, scope)

        measurement = fusion_measure.measure(found, legs, source, time.time(), self._index.count(meta))
        fusion_measure.save(self._data / "index", meta.table, measurement)
        log.info("fusion measured", weight=measurement.vector_weight, warning=measurement.warning)
        return measurement

    def _probes(
        self, meta: IndexMeta, questions: Sequence[dict[str, Any]], generate: bool, stop: Callable[[], None]
    ) -> tuple[str, list[probes.Probe]]:
        if questions:
            return probes.GIVEN, probes.given(questions)
        pages, ids = self._pages(meta)
        if generate:
            write = self._writer()
            return probes.GENERATED, list(probes.generated(pages, ids, write, meta.table, stop))
        return probes.DOCUMENTS, probes.from_documents(pages, ids, meta.chunking, meta.table)

    def _pages(self, meta: IndexMeta) -> tuple[list[PageText], list[str]]:
        """Pages with text of the documents in an index, some of each."""
        there = sorted(self._index.documents_in(meta) - self._library.unfinished())
        pages: list[PageText] = []
        ids: list[str] = []
        share = max(1, MOST_PAGES // max(1, len(there)))
        for document_id in there[:MOST_PAGES]:
            folder = self._library.folder(document_id)
            numbers = folder.page_numbers()
            step = max(1, len(numbers) // share)
            for number in numbers[::step][:share]:
                page = folder.page(number)
                if page is not None and page.state is PageState.TEXT:
                    pages.append(page)
                    ids.append(document_id)
        return pages, ids

    def _writer(self) -> Callable[[str], str]:
        config = rag_config.load(self._data).llm.ollama
        if not config.model:
            raise LoragError(Reason.NO_ACTIVE_RELEASE, "No model is active that could write questions.")
        server = ModelServer(config.base_url)

        def write(prompt: str) -> str:
            messages = [{"role": "user", "content": prompt}]
            reply = server.chat(config.model, messages, num_predict=QUESTION_TOKENS, temperature=0.0)
            return str(reply.message.content or "")

        return write
