from __future__ import annotations

import pytest

from lorag_indexer.chunks import Chunk
from lorag_indexer.fusion import fuse


def chunk(name: str, page: int = 1) -> Chunk:
    return Chunk(f"{name}:{page}:0", name, page, 0, 1, "x")


A, B, C = chunk("a"), chunk("b"), chunk("c")


def test_scores_are_weighed_between_nought_and_one() -> None:
    hits = fuse([(A, 0.9), (B, 0.8), (C, 0.7)], [(B, 4.0), (C, 1.0)], 0.5, 5)
    assert [h.chunk for h in hits] == [B, A, C]
    assert [h.score for h in hits] == pytest.approx([0.75, 0.5, 0.125])
    assert (hits[1].vector_score, hits[1].keyword_score) == (0.9, 0.0)


@pytest.mark.parametrize(("weight", "first"), [(0.0, B), (1.0, A)])
def test_the_ends_of_the_weight_are_one_leg_alone(weight: float, first: Chunk) -> None:
    assert fuse([(A, 0.9), (B, 0.8)], [(B, 4.0)], weight, 1)[0].chunk == first


def test_a_lone_candidate_counts_fully_and_ties_follow_the_pages() -> None:
    assert fuse([(A, 0.1)], [], 1.0, 5)[0].score == 1.0
    twins = [(chunk("a", 2), 3.0), (chunk("a", 1), 3.0)]
    assert [h.chunk.page for h in fuse([], twins, 0.3, 5)] == [1, 2]


def test_nothing_found_is_nothing() -> None:
    assert fuse([], [], 0.5, 5) == []
