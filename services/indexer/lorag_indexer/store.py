"""What a vector store has to do. Every implementation passes tests/contract/test_store_contract.py.

A store keeps chunks with their vector and terms and returns the two legs of a search; `lorag_indexer.fusion` joins
them. A database holds stores under names, so that a new index can grow beside the one that serves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lorag_indexer.chunks import Chunk
from lorag_indexer.fusion import Leg

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Entry:
    """A chunk with its vector (shape [dimension], unit length) and its terms."""

    chunk: Chunk
    vector: Vector
    terms: Sequence[str]


@dataclass(frozen=True)
class Scope:
    """What a search looks at.

    Attributes:
        only: these documents; None means all.
        without: never these documents.
        pages: first and last page, both included; None leaves that end open.
    """

    only: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    pages: tuple[int | None, int | None] = (None, None)

    def has(self, document_id: str, page: int) -> bool:
        """Whether a page of a document is in it."""
        first, last = self.pages
        within = (first is None or page >= first) and (last is None or page <= last)
        return within and document_id not in self.without and (self.only is None or document_id in self.only)


EVERYWHERE = Scope()


class ChunkStore(Protocol):
    """The chunks of one index. Safe to use from several threads."""

    def replace_pages(self, document_id: str, pages: Collection[int], entries: Sequence[Entry]) -> None:
        """Make `entries` the whole of these pages; all or nothing, and the same when repeated."""
        ...

    def delete_documents(self, document_ids: Collection[str]) -> None:
        """Remove every chunk of these documents, from the disk too. Unknown ones are ignored."""
        ...

    def pages(self, document_id: str) -> set[int]:
        """Pages of a document that have chunks here."""
        ...

    def document_ids(self) -> set[str]:
        """Documents that have chunks here."""
        ...

    def count(self, document_id: str | None = None) -> int:
        """Chunks of one document, or of all."""
        ...

    def frequency(self, term: str) -> int:
        """Chunks that have a term."""
        ...

    def optimize(self) -> None:
        """Bring the search structures up to date after a document; searches are right without it, but slower."""
        ...

    def nearest(self, vector: Vector, limit: int, scope: Scope) -> Leg:
        """The vector leg: chunks by cosine similarity, best first."""
        ...

    def matching(self, terms: Sequence[str], limit: int, scope: Scope) -> Leg:
        """The keyword leg: chunks that share a term, by BM25 (k1 1.2, b 0.75, idf never negative), best first."""
        ...


class ChunkDatabase(Protocol):
    """Stores by name."""

    kind: str
    """Which database it is, e.g. "lancedb"."""

    def open(self, name: str, dimension: int) -> ChunkStore:
        """The store of that name, made when there is none yet; its vectors have `dimension` numbers."""
        ...

    def names(self) -> set[str]:
        """Names of the stores there are."""
        ...

    def drop(self, name: str) -> None:
        """Remove a store and everything in it."""
        ...
