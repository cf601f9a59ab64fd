"""What qa asks of the indexer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Box(NamedTuple):
    """A rectangle on a page, in shares of its width and height, from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Found:
    """One passage with where it stands; `span` in characters of the page's text, `boxes` a line each."""

    document_id: str
    document: str
    page: int
    span: tuple[int, int]
    text: str
    score: float
    boxes: tuple[Box, ...] = ()


class Searcher(Protocol):
    """Finds passages."""

    async def search(
        self, query: str, *, top_k: int, vector_weight: float | None, document_ids: Sequence[str]
    ) -> list[Found]:
        """Best first. LoragError INDEX_EMPTY, MODEL_SERVER_UNAVAILABLE, SERVICE_UNAVAILABLE."""
        ...
