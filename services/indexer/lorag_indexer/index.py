"""The index: one table of chunks, made by one embedder, one tokenizer and one way of cutting pages.

`index/meta.json` names the table and what made it. Replacing that file switches to another table, so a new index grows
beside the one that serves and takes its place at once; the one before is kept, so that it can come back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lorag_common.errors import LoragError, Reason
from lorag_common.log import get_logger
from lorag_indexer.chunks import Chunk, ChunkSettings, chunk_page
from lorag_indexer.embedder import BATCH, Embedder
from lorag_indexer.fusion import Hit, Leg, candidates_for, fuse
from lorag_indexer.meta import Indexes, IndexMeta
from lorag_indexer.pages import PageText
from lorag_indexer.store import EVERYWHERE, ChunkDatabase, ChunkStore, Entry, Scope
from lorag_indexer.tokens import Token, Tokenizer, best_tokenizer, tokenizer_named

log = get_logger(__name__)

FIRST_TABLE = "chunks"
# The vector leg fails by these while the keyword leg is well.
WITHOUT_VECTORS = frozenset(
    {Reason.MODEL_SERVER_UNAVAILABLE, Reason.MODEL_SERVER_FAILED, Reason.MODEL_NOT_FOUND, Reason.EMBEDDER_CHANGED}
)


@dataclass(frozen=True)
class Query:
    """What to search for.

    Attributes:
        vector_weight: 0 (keywords alone) to 1 (vectors alone).
        needs_vectors: whether to fail when the query cannot be embedded, instead of answering by keywords.
    """

    text: str
    top_k: int
    vector_weight: float
    scope: Scope = EVERYWHERE
    needs_vectors: bool = False


@dataclass(frozen=True)
class Found:
    """Hits, best first; the weight that was used; why there was no vector leg, if there should have been one."""

    hits: list[Hit]
    vector_weight: float
    without_vectors: LoragError | None = None


class Index:
    """Writes pages into the index and searches it.

    Args:
        folder: where `meta.json` is.
        database: holds the tables.
        embedder: turns texts into vectors.
        chunking: how pages are cut in an index that is yet to be made.
    """

    def __init__(self, folder: Path, database: ChunkDatabase, embedder: Embedder, chunking: ChunkSettings) -> None:
        self._path = folder / "meta.json"
        self._database = database
        self._embedder = embedder
        self._chunking = chunking
        self._tokenizers: dict[str, Tokenizer] = {}
        self._lock = threading.RLock()
        self._indexes = Indexes.load(self._path)
        self._legs = ThreadPoolExecutor(thread_name_prefix="search-leg")

    @property
    def meta(self) -> IndexMeta | None:
        """What made the index that serves; None before the first document."""
        return self._indexes.serving

    @property
    def previous(self) -> IndexMeta | None:
        """What made the index that is kept; None before the first reindex."""
        return self._indexes.previous

    @property
    def kind(self) -> str:
        """Which store it is in."""
        return self._database.kind

    def check_embedder(self) -> None:
        """Whether a document may be added as things are configured. An index goes on with the embedder it has.

        Raises:
            LoragError: EMBEDDER_MISSING.
        """
        if self.meta is None or self._vacant(self.meta):
            self._embedder.configured()

    def plan(self, table: str, model: str = "") -> IndexMeta:
        """What an index made now would be.

        Raises:
            LoragError: EMBEDDER_MISSING and what the model server fails by.
        """
        model = model or self._embedder.configured()
        identity = self._embedder.identify(model)
        chunking = self._embedder.fitted(identity, self._chunking)
        return IndexMeta(table, identity, best_tokenizer().name, chunking, time.time())

    def ensure(self) -> IndexMeta:
        """The index that serves, made when there is none yet.

        Raises:
            LoragError: as `plan`; EMBEDDER_CHANGED when the name now means another model.
        """
        meta = self.meta
        if meta is None or self._vacant(meta):
            # Nothing binds an empty index to what made it.
            meta = self.plan(FIRST_TABLE)
            with self._lock:
                # Rows of an index whose meta.json was lost belong to nobody.
                self._database.drop(FIRST_TABLE)
                self._keep(Indexes(meta))
            return meta
        self._embedder.check(meta.embedder)
        return meta

    def check(self, meta: IndexMeta) -> None:
        """Whether an index can be searched and added to with the embedder that made it.

        Raises:
            LoragError: EMBEDDER_CHANGED, MODEL_NOT_FOUND, MODEL_SERVER_UNAVAILABLE.
        """
        self._embedder.check(meta.embedder)

    def write(
        self,
        meta: IndexMeta,
        document_id: str,
        pages: Iterable[PageText],
        wanted: Callable[[], bool],
        progress: Callable[[int], None],
    ) -> int:
        """Write a document's pages, some at a time, and verify that they are all there; pages that are there are skipped.

        Args:
            meta: the index to write to.
            document_id: whose pages they are.
            pages: in order.
            wanted: asked before every write whether the document still exists; held under the lock that `delete` takes.
            progress: told the last page that is written.

        Returns:
            Chunks of the document in the index.

        Raises:
            LoragError: DOCUMENT_NOT_FOUND when it is no longer wanted; INDEX_INCOMPLETE when the store does not hold what was
                written; what the model server fails by.
        """
        store = self._open(meta)
        there = store.pages(document_id)
        batch: list[Chunk] = []
        numbers: list[int] = []
        expected = 0
        for page in pages:
            chunks = chunk_page(document_id, page.page, page.text, meta.chunking)
            expected += len(chunks)
            if page.page in there:
                progress(page.page)
                continue
            batch += chunks
            numbers.append(page.page)
            if len(batch) >= BATCH:
                self._write_batch(store, meta, document_id, numbers, batch, wanted)
                progress(page.page)
                batch, numbers = [], []
        if numbers:
            self._write_batch(store, meta, document_id, numbers, batch, wanted)
            progress(numbers[-1])
        store.optimize()
        count = store.count(document_id)
        if count != expected:
            raise LoragError(
                Reason.INDEX_INCOMPLETE, f"The index holds {count} chunks of the document, and it has {expected}."
            )
        return count

    def search(self, query: Query) -> Found:
        """The chunks that fit best. With a weight of 0 the query is not embedded, so the model server is not needed.

        Raises:
            LoragError: INDEX_EMPTY; with `needs_vectors` what the embedder fails by.
        """
        meta = self.meta
        if meta is None:
            raise LoragError(Reason.INDEX_EMPTY, "Nothing is indexed yet.")
        try:
            return self._search(meta, query)
        except LoragError:
            raise
        except (OSError, RuntimeError, ValueError) as error:
            # A delete or a switch took away the version that was being read; the one that is there now has it all.
            log.info("search reads again", error=str(error)[:200])
            return self._search(self.meta or meta, query)

    def legs(self, meta: IndexMeta, query: str, limit: int, scope: Scope, vectors: bool = True) -> tuple[Leg, Leg]:
        """The vector leg and the keyword leg of a query, unmixed."""
        store = self._open(meta)
        matching = store.matching(self._tokenizer(meta.tokenizer).terms(query), limit, scope)
        if not vectors:
            return [], matching
        self._embedder.check(meta.embedder)
        return store.nearest(self._embedder.embed_query(meta.embedder, query), limit, scope), matching

    def tokens(self, text: str) -> tuple[str, list[tuple[Token, int]]]:
        """The tokenizer's name, and the terms of a text, each with the number of chunks that have it."""
        meta = self.meta
        tokenizer = self._tokenizer(meta.tokenizer) if meta else best_tokenizer()
        tokens = tokenizer.tokens(text)
        store = self._open(meta) if meta else None
        counts = {t: store.frequency(t) if store else 0 for t in dict.fromkeys(token.term for token in tokens)}
        return tokenizer.name, [(token, counts[token.term]) for token in tokens]

    def delete(self, document_ids: Sequence[str]) -> None:
        """Take documents out of every table."""
        with self._lock:
            for name in self._database.names():
                self._database.open(name, 0).delete_documents(document_ids)

    def switch(self, meta: IndexMeta, known: Callable[[], set[str]]) -> None:
        """Serve from another table and keep the one before; documents deleted meanwhile do not come along."""
        with self._lock:
            store = self._open(meta)
            store.delete_documents(store.document_ids() - known())
            store.optimize()
            if self.meta is None or self.meta.table != meta.table:
                self._keep(Indexes(meta, self.meta))
        self.sweep(known())

    def document_ids(self) -> set[str]:
        """Documents that have chunks in any table."""
        return set[str]().union(*(self._database.open(name, 0).document_ids() for name in self._database.names()))

    def documents_in(self, meta: IndexMeta) -> set[str]:
        """Documents that have chunks in one index."""
        return self._open(meta).document_ids()

    def count(self, meta: IndexMeta, document_id: str | None = None) -> int:
        """Chunks of a document, or of all, in an index."""
        return self._open(meta).count(document_id)

    def sweep(self, known: set[str], keep: str = "") -> None:
        """Drop tables that nobody serves from, keeps or is making, and the chunks of documents that are gone."""
        with self._lock:
            if self.meta is None:
                return
            for name in self._database.names() - self._indexes.tables - {keep}:
                self._database.drop(name)
            for name in self._indexes.tables & self._database.names():
                store = self._database.open(name, 0)
                store.delete_documents(store.document_ids() - known)

    def _search(self, meta: IndexMeta, query: Query) -> Found:
        limit = candidates_for(query.top_k)
        weight, problem = query.vector_weight, None
        nearest: Leg = ()
        matching: Leg = ()
        store = self._open(meta)

        def by_keywords() -> Leg:
            return store.matching(self._tokenizer(meta.tokenizer).terms(query.text), limit, query.scope)

        # The one leg waits for the model server and the other does not; so they do not wait for each other.
        beside = self._legs.submit(by_keywords) if 0 < weight < 1 else None
        if weight > 0:
            try:
                vector = self._legs.submit(self._embedder.embed_query, meta.embedder, query.text)
                self._embedder.check(meta.embedder)
                nearest = store.nearest(vector.result(), limit, query.scope)
            except LoragError as error:
                if query.needs_vectors or error.reason not in WITHOUT_VECTORS:
                    raise
                log.warning("search without vectors", reason=str(error.reason))
                weight, problem = 0.0, error
        if weight < 1:
            matching = beside.result() if beside else by_keywords()
        return Found(fuse(nearest, matching, weight, query.top_k), weight, problem)

    def _write_batch(
        self,
        store: ChunkStore,
        meta: IndexMeta,
        document_id: str,
        pages: list[int],
        chunks: list[Chunk],
        wanted: Callable[[], bool],
    ) -> None:
        vectors = self._embedder.embed_documents(meta.embedder, [c.text for c in chunks])
        tokenizer = self._tokenizer(meta.tokenizer)
        entries = [Entry(c, v, tokenizer.terms(c.text)) for c, v in zip(chunks, vectors, strict=True)]
        with self._lock:
            if not wanted():
                raise LoragError(Reason.DOCUMENT_NOT_FOUND, "The document was deleted while it was being indexed.")
            store.replace_pages(document_id, pages, entries)

    def _tokenizer(self, name: str) -> Tokenizer:
        with self._lock:
            if name not in self._tokenizers:
                self._tokenizers[name] = tokenizer_named(name)
            return self._tokenizers[name]

    def _vacant(self, meta: IndexMeta) -> bool:
        return self._open(meta).count() == 0

    def _open(self, meta: IndexMeta) -> ChunkStore:
        return self._database.open(meta.table, meta.embedder.dimension)

    def _keep(self, indexes: Indexes) -> None:
        indexes.save(self._path)
        self._indexes = indexes
