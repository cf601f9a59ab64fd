"""What the indexer knows -> messages of the contract."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag.jobs.v1 import jobs_pb2
from lorag_common.errors import LoragError, Reason
from lorag_common.job_servicer import job_to_proto, timestamp
from lorag_common.jobs import JobRecord
from lorag_indexer.documents import Document
from lorag_indexer.fusion_measure import Measurement
from lorag_indexer.meta import IndexMeta
from lorag_indexer.pages import PageState, PageText, Placed
from lorag_indexer.searching import HYBRID, KEYWORD, VECTOR, NamedHit, SearchOptions, SearchResult
from lorag_indexer.tokens import Token

KINDS = {"pdf": pb.DOCUMENT_KIND_PDF, "markdown": pb.DOCUMENT_KIND_MARKDOWN, "text": pb.DOCUMENT_KIND_TEXT}
PAGE_STATES = {
    PageState.TEXT: pb.PAGE_STATE_TEXT,
    PageState.BLANK: pb.PAGE_STATE_BLANK,
    PageState.NEEDS_OCR: pb.PAGE_STATE_NEEDS_OCR,
    PageState.UNREADABLE: pb.PAGE_STATE_UNREADABLE,
}
MODES = {
    pb.SEARCH_MODE_UNSPECIFIED: HYBRID,
    pb.SEARCH_MODE_HYBRID: HYBRID,
    pb.SEARCH_MODE_KEYWORD: KEYWORD,
    pb.SEARCH_MODE_VECTOR: VECTOR,
}
TOKEN_KINDS = {
    "word": pb.TOKEN_KIND_WORD,
    "morpheme": pb.TOKEN_KIND_MORPHEME,
    "bigram": pb.TOKEN_KIND_BIGRAM,
    "character": pb.TOKEN_KIND_CHARACTER,
}
SOURCES = {
    "given": pb.PROBE_SOURCE_GIVEN,
    "documents": pb.PROBE_SOURCE_DOCUMENTS,
    "generated": pb.PROBE_SOURCE_GENERATED,
}


def document(found: Document, job: JobRecord | None) -> pb.Document:
    """A document, with the state that its job gives it."""
    state, error = _state(found, job)
    return pb.Document(
        id=found.id,
        name=found.name,
        size=found.size,
        state=state,
        page_count=found.page_count,
        chunk_count=found.chunk_count,
        pages_without_text=found.pages_without_text,
        error=error,
        job_id=found.job_id,
        create_time=timestamp(found.create_time),
        kind=KINDS[found.kind],
        tags=found.tags,
        date=timestamp(found.when),
        quality=found.quality,
        notices=[notice(n) for n in found.notices],
    )


def page(found: PageText) -> pb.Page:
    """What became of a page."""
    return pb.Page(
        page=found.page,
        state=PAGE_STATES[found.state],
        method=found.extractor,
        score=found.score,
        characters=found.characters,
        characters_left_out=found.characters_left_out,
        notes=found.notes,
    )


def boxes(found: Iterable[Placed]) -> list[pb.Box]:
    """Boxes of a page with the characters that stand in them."""
    return [
        pb.Box(left=p.box[0], top=p.box[1], right=p.box[2], bottom=p.box[3], span_start=p.span[0], span_end=p.span[1])
        for p in found
    ]


def notice(found: dict[str, str]) -> pb.Notice:
    """Something that a person should know."""
    return pb.Notice(reason=found["reason"], message=found["message"], remedy=found.get("remedy", ""))


def options(request: pb.SearchRequest) -> SearchOptions:
    """How a request wants to be searched."""
    if request.mode not in MODES:
        raise LoragError(Reason.INVALID_FIELD, f"There is no mode {request.mode}.", field="mode")
    narrow = request.filter
    return SearchOptions(
        top_k=request.top_k,
        document_ids=tuple(request.document_ids),
        vector_weight=request.vector_weight if request.HasField("vector_weight") else None,
        mode=MODES[request.mode],
        tags=frozenset(narrow.tags),
        dates=(seconds(narrow, "date_from") or 0.0, seconds(narrow, "date_until") or 0.0),
        pages=(narrow.first_page, narrow.last_page),
        rerank=request.rerank,
    )


def seconds(message: Any, field: str) -> float | None:
    """A timestamp in seconds since the epoch; None when it is not set."""
    if not message.HasField(field):
        return None
    value = getattr(message, field)
    return float(value.seconds + value.nanos / 1e9)


def found(result: SearchResult) -> pb.SearchResponse:
    """Hits and what is to be known."""
    return pb.SearchResponse(
        hits=[_hit(hit) for hit in result.hits],
        vector_weight=result.vector_weight,
        notices=[notice(n) for n in result.notices],
    )


def tokens(name: str, folded: str, terms: Iterable[tuple[Token, int]]) -> pb.ExplainTokensResponse:
    """The terms of a text."""
    listed = [pb.Token(term=t.term, kind=TOKEN_KINDS[t.kind], chunk_count=n) for t, n in terms]
    return pb.ExplainTokensResponse(tokenizer=name, folded=folded, tokens=listed)


def index(meta: IndexMeta, store: str, documents: int, chunks: int, measured: Measurement | None) -> pb.Index:
    """What an index was made with."""
    e, c = meta.embedder, meta.chunking
    return pb.Index(
        name=meta.table,
        store=store,
        embedder=pb.EmbedderIdentity(**e.as_dict()),
        tokenizer=meta.tokenizer,
        chunking=pb.Chunking(
            chunker=c.chunker, characters=c.characters, sentences=c.sentences, overlap=c.overlap, tokens=c.tokens
        ),
        document_count=documents,
        chunk_count=chunks,
        create_time=timestamp(meta.create_time),
        fusion=_fusion(measured) if measured else None,
    )


def questions(found: Iterable[pb.ProbeQuestion]) -> list[dict[str, Any]]:
    """Probe questions as a job's spec has them."""
    return [{"question": q.question, "document_id": q.document_id, "page": q.page} for q in found]


def _fusion(m: Measurement) -> pb.FusionMeasurement:
    warning = {"reason": "VECTORS_TURNED_DOWN", "message": m.warning, "remedy": "Reindex with another embedder."}
    return pb.FusionMeasurement(
        vector_weight=m.vector_weight,
        keyword_ndcg=m.keyword_ndcg,
        vector_ndcg=m.vector_ndcg,
        hybrid_ndcg=m.hybrid_ndcg,
        question_count=m.questions,
        source=SOURCES[m.source],
        curve=[pb.WeightScore(vector_weight=w, ndcg=n) for w, n in m.curve],
        measure_time=timestamp(m.time),
        warning=notice(warning) if m.warning else None,
    )


def _state(found: Document, job: JobRecord | None) -> tuple[pb.DocumentState, jobs_pb2.JobError | None]:
    if found.indexed:
        return pb.DOCUMENT_STATE_READY, None
    if job is not None and job.state == "FAILED":
        return pb.DOCUMENT_STATE_FAILED, job_to_proto(job).error
    if job is not None and job.state == "CANCELLED":
        cancelled = LoragError(Reason.CANCELLED, "Its indexing was cancelled.", remedy="Upload it again.")
        return pb.DOCUMENT_STATE_FAILED, jobs_pb2.JobError(**cancelled.as_dict())
    return pb.DOCUMENT_STATE_INDEXING, None


def _hit(named: NamedHit) -> pb.Hit:
    hit = named.hit
    return pb.Hit(
        chunk_id=hit.chunk.id,
        document_id=hit.chunk.document_id,
        document_name=named.name,
        page=hit.chunk.page,
        span_start=hit.chunk.start,
        span_end=hit.chunk.end,
        text=hit.chunk.text,
        score=hit.score,
        vector_score=hit.vector_score,
        keyword_score=hit.keyword_score,
        vector_rank=hit.vector_rank,
        keyword_rank=hit.keyword_rank,
        boxes=boxes(named.boxes),
        rerank_score=hit.rerank_score,
    )
