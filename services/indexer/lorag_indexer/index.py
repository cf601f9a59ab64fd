"""The index: one table of chunks, made by one embedder, one tokenizer and one way of cutting pages.

`index/meta.json` names the table and what made it. Replacing that file switches to another table, so a new index grows
beside the one that serves and takes its place at once.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lorag_common.artifacts import write_json
from lorag_common.errors import LoragError, Reason
from lorag_common.log import get_logger
from lorag_indexer.chunks import Chunk, ChunkSettings, chunk_page
from lorag_indexer.embedder import BATCH, Embedder, EmbedderIdentity
from lorag_indexer.fusion import Hit, candidates_for, fuse
from lorag_indexer.pdf import PageText
from lorag_indexer.store import ChunkDatabase, ChunkStore, Entry, Scope
from lorag_indexer.tokens import Tokenizer, best_tokenizer, tokenizer_named

log = get_logger(__name__)

FIRST_TABLE = "chunks"


@dataclass(frozen=True)
class IndexMeta:
    """What made an index."""

    table: str
    embedder: EmbedderIdentity
    tokenizer: str
    chunking: ChunkSettings

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> IndexMeta:
        """Inverse of `as_dict`."""
        return cls(d["table"], EmbedderIdentity(**d["embedder"]), d["tokenizer"], ChunkSettings(**d["chunking"]))


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
        self._meta: IndexMeta | None = None
        if self._path.exists():
            self._meta = IndexMeta.from_dict(json.loads(self._path.read_text(encoding="utf-8")))

    @property
    def meta(self) -> IndexMeta | None:
        """What made the index that serves; None before the first document."""
        return self._meta

    def check_embedder(self) -> None:
        """Whether a document may be added as things are configured.

        Raises:
            LoragError: EMBEDDER_MISSING; EMBEDDER_CHANGED when another embedder was chosen than the index has.
        """
        if self._meta is None or self._vacant(self._meta):
            self._embedder.configured()
            return
        wanted, has = self._embedder.wanted(), self._meta.embedder
        if wanted and wanted != has.model and self._embedder.identify(wanted).digest != has.digest:
            raise LoragError(
                Reason.EMBEDDER_CHANGED, f"The index was made with '{has.model}'; '{wanted}' is configured now."
            )

    def plan(self, table: str, model: str = "") -> IndexMeta:
        """What an index made now would be.

        Raises:
            LoragError: EMBEDDER_MISSING and what the model server fails by.
        """
        identity = self._embedder.identify(model or self._embedder.configured())
        return IndexMeta(table, identity, best_tokenizer().name, self._chunking)

    def ensure(self) -> IndexMeta:
        """The index that serves, made when there is none yet.

        Raises:
            LoragError: as `plan` and `check_embedder`; EMBEDDER_CHANGED when the name now means another model.
        """
        meta = self._meta
        if meta is None or self._vacant(meta):
            # Nothing binds an empty index to what made it.
            meta = self.plan(FIRST_TABLE)
            with self._lock:
                # Rows of an index whose meta.json was lost belong to nobody.
                self._database.drop(FIRST_TABLE)
                self._switch(meta)
            return meta
        self.check_embedder()
        self._embedder.check(meta.embedder)
        return meta

    def write(
        self,
        meta: IndexMeta,
        document_id: str,
        pages: Iterable[PageText],
        wanted: Callable[[], bool],
        progress: Callable[[int], None],
    ) -> int:
        """Write a document's pages, some at a time; pages that are there already are skipped.

        Args:
            meta: the index to write to.
            document_id: whose pages they are.
            pages: in order.
            wanted: asked before every write whether the document still exists; held under the lock that `delete` takes.
            progress: told the last page that is written.

        Returns:
            Chunks of the document in the index.

        Raises:
            LoragError: DOCUMENT_NOT_FOUND when it is no longer wanted; what the model server fails by.
        """
        store = self._open(meta)
        there = store.pages(document_id)
        batch: list[Chunk] = []
        numbers: list[int] = []
        for page in pages:
            if page.page in there:
                progress(page.page)
                continue
            batch += chunk_page(document_id, page.page, page.text, meta.chunking)
            numbers.append(page.page)
            if len(batch) >= BATCH:
                self._write_batch(store, meta, document_id, numbers, batch, wanted)
                progress(page.page)
                batch, numbers = [], []
        if numbers:
            self._write_batch(store, meta, document_id, numbers, batch, wanted)
            progress(numbers[-1])
        store.optimize()
        return store.count(document_id)

    def search(
        self,
        query: str,
        top_k: int,
        vector_weight: float,
        scope: Scope,
    ) -> list[Hit]:
        """The chunks that fit best. With a weight of 0 the query is not embedded, so the model server is not needed.

        Raises:
            LoragError: INDEX_EMPTY; EMBEDDER_CHANGED; what the model server fails by.
        """
        meta = self._meta
        if meta is None:
            raise LoragError(Reason.INDEX_EMPTY, "Nothing is indexed yet.")
        try:
            return self._search(meta, query, top_k, vector_weight, scope)
        except LoragError:
            raise
        except (OSError, RuntimeError, ValueError) as error:
            # A delete or a switch took away the version that was being read; the one that is there now has it all.
            log.info("search reads again", error=str(error)[:200])
            return self._search(self._meta or meta, query, top_k, vector_weight, scope)

    def delete(self, document_ids: Sequence[str]) -> None:
        """Take documents out of every table."""
        with self._lock:
            for name in self._database.names():
                self._database.open(name, 0).delete_documents(document_ids)

    def switch(self, meta: IndexMeta, known: Callable[[], set[str]]) -> None:
        """Serve from another table and drop the one before; documents deleted meanwhile do not come along."""
        with self._lock:
            store = self._open(meta)
            store.delete_documents(store.document_ids() - known())
            store.optimize()
            self._switch(meta)
        self.sweep(known())

    def document_ids(self) -> set[str]:
        """Documents that have chunks in any table."""
        return set[str]().union(*(self._database.open(name, 0).document_ids() for name in self._database.names()))

    def count(self, meta: IndexMeta, document_id: str) -> int:
        """Chunks of a document in an index."""
        return self._open(meta).count(document_id)

    def sweep(self, known: set[str], keep: str = "") -> None:
        """Drop tables that nobody serves from or is making, and the chunks of documents that are gone."""
        with self._lock:
            if self._meta is None:
                return
            for name in self._database.names() - {self._meta.table, keep}:
                self._database.drop(name)
            store = self._open(self._meta)
            store.delete_documents(store.document_ids() - known)

    def _search(self, meta: IndexMeta, query: str, top_k: int, vector_weight: float, scope: Scope) -> list[Hit]:
        store = self._open(meta)
        limit = candidates_for(top_k)
        nearest: Sequence[tuple[Chunk, float]] = ()
        matching: Sequence[tuple[Chunk, float]] = ()
        if vector_weight > 0:
            self._embedder.check(meta.embedder)
            nearest = store.nearest(self._embedder.embed(meta.embedder, [query])[0], limit, scope)
        if vector_weight < 1:
            matching = store.matching(self._tokenizer(meta.tokenizer).terms(query), limit, scope)
        return fuse(nearest, matching, vector_weight, top_k)

    def _write_batch(
        self,
        store: ChunkStore,
        meta: IndexMeta,
        document_id: str,
        pages: list[int],
        chunks: list[Chunk],
        wanted: Callable[[], bool],
    ) -> None:
        vectors = self._embedder.embed(meta.embedder, [c.text for c in chunks])
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

    def _switch(self, meta: IndexMeta) -> None:
        write_json(self._path, meta.as_dict())
        self._meta = meta
