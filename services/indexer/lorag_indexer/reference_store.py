"""The plain store: numpy's cosine and rank-bm25, in memory. It is what the other stores are held against.

Every search computes everything anew, so it suits thousands of chunks and no more.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Sequence

import numpy as np
from rank_bm25 import BM25Okapi  # type: ignore[import-untyped]

from lorag_indexer.chunks import Chunk
from lorag_indexer.fusion import Leg
from lorag_indexer.store import Entry, Scope, Vector

K1, B = 1.2, 0.75


class _Bm25(BM25Okapi):  # type: ignore[misc]
    """BM25 with the idf of Lucene, ln(1 + (N - n + 0.5) / (n + 0.5)).

    The library's own turns zero or negative for a term that half of the documents have, and then finds nothing.
    """

    def _calc_idf(self, nd: dict[str, int]) -> None:
        self.idf = {term: math.log(1 + (self.corpus_size - n + 0.5) / (n + 0.5)) for term, n in nd.items()}


class ReferenceStore:
    """See `lorag_indexer.store.ChunkStore`."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()
        self._scored: tuple[dict[str, Entry], _Bm25] | None = None

    def replace_pages(self, document_id: str, pages: Collection[int], entries: Sequence[Entry]) -> None:
        """See `ChunkStore`."""
        with self._lock:
            kept = {
                key: e
                for key, e in self._entries.items()
                if not (e.chunk.document_id == document_id and e.chunk.page in pages)
            }
            self._entries = kept | {e.chunk.id: e for e in entries}

    def delete_documents(self, document_ids: Collection[str]) -> None:
        """See `ChunkStore`."""
        with self._lock:
            self._entries = {k: e for k, e in self._entries.items() if e.chunk.document_id not in document_ids}

    def pages(self, document_id: str) -> set[int]:
        """See `ChunkStore`."""
        return {e.chunk.page for e in self._entries.values() if e.chunk.document_id == document_id}

    def document_ids(self) -> set[str]:
        """See `ChunkStore`."""
        return {e.chunk.document_id for e in self._entries.values()}

    def count(self, document_id: str | None = None) -> int:
        """See `ChunkStore`."""
        return sum(document_id in (None, e.chunk.document_id) for e in self._entries.values())

    def frequency(self, term: str) -> int:
        """See `ChunkStore`."""
        return sum(term in e.terms for e in list(self._entries.values()))

    def optimize(self) -> None:
        """See `ChunkStore`; there is nothing to bring up to date."""

    def nearest(self, vector: Vector, limit: int, scope: Scope) -> Leg:
        """See `ChunkStore`."""
        entries = [e for e in self._entries.values() if scope.has(e.chunk.document_id, e.chunk.page)]
        if not entries:
            return []
        matrix = np.stack([e.vector for e in entries]).astype(np.float64)
        query = vector.astype(np.float64)
        cosines = matrix @ query / (np.linalg.norm(matrix, axis=1) * np.linalg.norm(query))
        return _best([e.chunk for e in entries], cosines.tolist(), limit)

    def matching(self, terms: Sequence[str], limit: int, scope: Scope) -> Leg:
        """See `ChunkStore`; term statistics are those of all chunks, whatever the scope."""
        entries = list(self._entries.values())
        if not entries or not terms:
            return []
        scores = self._scorer(entries).get_scores(list(dict.fromkeys(terms))).tolist()
        found = [
            (e.chunk, s)
            for e, s in zip(entries, scores, strict=True)
            if s > 0 and scope.has(e.chunk.document_id, e.chunk.page)
        ]
        return _best([chunk for chunk, _ in found], [score for _, score in found], limit)

    def _scorer(self, entries: Sequence[Entry]) -> _Bm25:
        """BM25 over the entries as they are; the library has no way to add to one."""
        if self._scored is None or self._scored[0] is not self._entries:
            self._scored = (self._entries, _Bm25([list(e.terms) for e in entries], k1=K1, b=B))
        return self._scored[1]


class ReferenceDatabase:
    """See `lorag_indexer.store.ChunkDatabase`."""

    kind = "reference"

    def __init__(self) -> None:
        self._stores: dict[str, ReferenceStore] = {}

    def open(self, name: str, dimension: int) -> ReferenceStore:
        """See `ChunkDatabase`."""
        return self._stores.setdefault(name, ReferenceStore(dimension))

    def names(self) -> set[str]:
        """See `ChunkDatabase`."""
        return set(self._stores)

    def drop(self, name: str) -> None:
        """See `ChunkDatabase`."""
        self._stores.pop(name, None)


def _best(chunks: list[Chunk], scores: list[float], limit: int) -> Leg:
    ranked = sorted(zip(chunks, scores, strict=True), key=lambda pair: (-pair[1], pair[0].id))
    return ranked[:limit]
