"""A search as a user asks for it: filters -> legs -> fusion -> reranker -> hits with names and boxes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from lorag_common import metrics, rag_config
from lorag_common.errors import LoragError, Reason
from lorag_indexer import fusion_measure
from lorag_indexer.documents import Library
from lorag_indexer.fusion import Hit
from lorag_indexer.index import Index, Query
from lorag_indexer.pages import Placed
from lorag_indexer.reranker import Reranker
from lorag_indexer.store import Scope
from lorag_indexer.tokens import Token, comparable

MAX_TOP_K = 100
DEFAULT_TOP_K = 5
RERANKED = 30
MAX_QUERY_CHARACTERS = 4000
HYBRID, KEYWORD, VECTOR = "hybrid", "keyword", "vector"


@dataclass(frozen=True)
class SearchOptions:
    """How to search.

    Attributes:
        top_k: at most this many hits; 0 means 5.
        document_ids: only in these; empty means all.
        vector_weight: None means the configured one, else the measured one.
        mode: HYBRID, KEYWORD or VECTOR.
        tags: only documents that have all of them.
        dates: from, until (excluded), in seconds since the epoch; 0 leaves an end open.
        pages: first, last (included); 0 leaves an end open.
        rerank: whether the reranker puts the best in its order.
    """

    top_k: int = 0
    document_ids: tuple[str, ...] = ()
    vector_weight: float | None = None
    mode: str = HYBRID
    tags: frozenset[str] = frozenset()
    dates: tuple[float, float] = (0.0, 0.0)
    pages: tuple[int, int] = (0, 0)
    rerank: bool = False


@dataclass(frozen=True)
class NamedHit:
    """A hit with its document's name and where it stands on the page."""

    hit: Hit
    name: str
    boxes: tuple[Placed, ...]


@dataclass(frozen=True)
class SearchResult:
    """Hits, best first, the weight that was used, and what a person should know."""

    hits: list[NamedHit]
    vector_weight: float
    notices: list[dict[str, str]] = field(default_factory=list)


class Searcher:
    """Searches one index.

    Args:
        data: the data folder.
        library: the documents.
        index: the index.
        reranker: puts candidates in order; None when none is configured.
    """

    def __init__(self, data: Path, library: Library, index: Index, reranker: Reranker | None = None) -> None:
        self._data = data
        self._library = library
        self._index = index
        self._reranker = reranker

    def search(self, query: str, options: SearchOptions) -> SearchResult:
        """The chunks that fit best.

        Raises:
            LoragError: INVALID_FIELD, INDEX_EMPTY, DOCUMENT_NOT_FOUND for a document_id that is not there, RERANKER_MISSING;
                in VECTOR mode EMBEDDER_CHANGED, MODEL_NOT_FOUND, MODEL_SERVER_UNAVAILABLE, MODEL_SERVER_FAILED.
        """
        _check(query, options)
        if options.rerank and self._reranker is None:
            raise LoragError(Reason.RERANKER_MISSING, "No reranker is configured.")
        if not self._library.searchable():
            raise LoragError(Reason.INDEX_EMPTY, "Nothing is indexed yet.")
        top_k = options.top_k or DEFAULT_TOP_K
        wanted = max(top_k, RERANKED) if options.rerank else top_k
        strict = options.mode == VECTOR
        found = self._index.search(Query(query, wanted, self.weight(options), self._scope(options), strict))
        hits = self._reranked(query, found.hits) if options.rerank else found.hits
        for hit in hits[:top_k]:
            metrics.RETRIEVAL_SCORE.observe(hit.score)
        notices = [found.without_vectors.as_dict()] if found.without_vectors else []
        return SearchResult([n for h in hits[:top_k] if (n := self._named(h))], found.vector_weight, notices)

    def weight(self, options: SearchOptions) -> float:
        """The vector leg's weight: by mode, as asked for, as configured, as measured, in this order."""
        if options.mode != HYBRID:
            return float(options.mode == VECTOR)
        if options.vector_weight is not None:
            return options.vector_weight
        configured = rag_config.load(self._data).retrieval.vector_weight
        if configured is not None:
            return configured
        meta = self._index.meta
        measured = fusion_measure.load(self._data / "index", meta.table) if meta else None
        return measured.vector_weight if measured else fusion_measure.UNMEASURED

    def tokens(self, text: str) -> tuple[str, str, list[tuple[Token, int]]]:
        """The tokenizer's name, the text as it is compared, and its terms with the number of chunks that have each.

        Raises:
            LoragError: INVALID_FIELD.
        """
        if not 0 < len(text.strip()) <= MAX_QUERY_CHARACTERS:
            raise LoragError(
                Reason.INVALID_FIELD, f"The text must have 1 to {MAX_QUERY_CHARACTERS} characters.", field="text"
            )
        name, tokens = self._index.tokens(text)
        return name, comparable(text), tokens

    def _scope(self, options: SearchOptions) -> Scope:
        for document_id in options.document_ids:
            self._library.get(document_id)
        only = frozenset(options.document_ids) if options.document_ids else None
        if options.tags or any(options.dates):
            fitting = self._library.matching(options.tags, *options.dates)
            only = fitting if only is None else only & fitting
        first, last = options.pages
        return Scope(only, self._library.unfinished(), (first or None, last or None))

    def _reranked(self, query: str, hits: list[Hit]) -> list[Hit]:
        if self._reranker is None or not hits:
            return hits
        scores = self._reranker.scores(query, [hit.chunk.text for hit in hits])
        scored = [replace(hit, rerank_score=score) for hit, score in zip(hits, scores, strict=True)]
        return sorted(scored, key=lambda hit: -hit.rerank_score)

    def _named(self, hit: Hit) -> NamedHit | None:
        """None for a document that was deleted while the search ran."""
        try:
            document = self._library.get(hit.chunk.document_id)
        except LoragError:
            return None
        page = self._library.folder(document.id).page(hit.chunk.page) if document.kind == "pdf" else None
        boxes = page.placed(hit.chunk.start, hit.chunk.end) if page else []
        return NamedHit(hit, document.name, tuple(boxes))


def _check(query: str, options: SearchOptions) -> None:
    if not query.strip():
        raise LoragError(Reason.INVALID_FIELD, "The query is empty.", field="query")
    if len(query) > MAX_QUERY_CHARACTERS:
        raise LoragError(
            Reason.INVALID_FIELD, f"The query is longer than {MAX_QUERY_CHARACTERS} characters.", field="query"
        )
    if not 0 <= options.top_k <= MAX_TOP_K:
        raise LoragError(Reason.INVALID_FIELD, f"top_k must be 0 to {MAX_TOP_K}.", field="top_k")
    if options.vector_weight is not None and not 0 <= options.vector_weight <= 1:
        raise LoragError(Reason.INVALID_FIELD, "vector_weight must be 0 to 1.", field="vector_weight")
    first, last = options.pages
    if first < 0 or last < 0 or (last and first > last):
        raise LoragError(Reason.INVALID_FIELD, "first_page and last_page name no pages.", field="filter.first_page")
    begin, until = options.dates
    if until and begin >= until:
        raise LoragError(Reason.INVALID_FIELD, "date_from is not before date_until.", field="filter.date_from")
