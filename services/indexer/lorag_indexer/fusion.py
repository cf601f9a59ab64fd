"""Two legs -> one ranking: relative score fusion, in one place for every store.

Cosines of one query lie close together, wherever they lie, so the vector leg is stretched between its lowest and
highest candidate. A BM25 score of zero means something (no term in common), so the keyword leg is divided by its
highest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lorag_indexer.chunks import Chunk

CANDIDATES = 50


@dataclass(frozen=True)
class Hit:
    """A chunk that was found.

    Attributes:
        score: fused, 0 to 1.
        vector_score: cosine, 0 where that leg did not find it.
        keyword_score: BM25, 0 where that leg did not find it.
        vector_rank: place in that leg, counted from 1; 0 where it did not find it.
        keyword_rank: likewise.
        rerank_score: the reranker's, 0 when it was not asked.
    """

    chunk: Chunk
    score: float
    vector_score: float
    keyword_score: float
    vector_rank: int = 0
    keyword_rank: int = 0
    rerank_score: float = 0.0


Leg = Sequence[tuple[Chunk, float]]


def candidates_for(top_k: int) -> int:
    """How many candidates each leg should bring so that the fused first `top_k` are right."""
    return max(CANDIDATES, 4 * top_k)


def fuse(nearest: Leg, matching: Leg, vector_weight: float, top_k: int) -> list[Hit]:
    """Best first; equal scores in the order of pages.

    Args:
        nearest: candidates of the vector leg with their cosine, best first.
        matching: candidates of the keyword leg with their BM25 score, best first.
        vector_weight: 0 (keywords alone) to 1 (vectors alone).
        top_k: at most this many.
    """
    cosines = {chunk.id: score for chunk, score in nearest}
    keywords = {chunk.id: score for chunk, score in matching}
    low, high = min(cosines.values(), default=0.0), max(cosines.values(), default=0.0)
    best = max(keywords.values(), default=0.0)

    def fused(chunk_id: str) -> float:
        vector = 0.0
        if chunk_id in cosines:
            vector = (cosines[chunk_id] - low) / (high - low) if high > low else 1.0
        keyword = keywords.get(chunk_id, 0.0) / best if best > 0 else 0.0
        return vector_weight * vector + (1 - vector_weight) * keyword

    chunks = {chunk.id: chunk for leg in (nearest, matching) for chunk, _ in leg}
    ranks = [{chunk.id: n for n, (chunk, _) in enumerate(leg, start=1)} for leg in (nearest, matching)]
    hits = [
        Hit(
            c,
            fused(c.id),
            cosines.get(c.id, 0.0),
            keywords.get(c.id, 0.0),
            ranks[0].get(c.id, 0),
            ranks[1].get(c.id, 0),
        )
        for c in chunks.values()
    ]
    # Rounded, so that stores whose sums differ in the last bits agree on ties.
    hits.sort(key=lambda h: (-round(h.score, 6), h.chunk.document_id, h.chunk.page, h.chunk.start))
    return hits[:top_k]
