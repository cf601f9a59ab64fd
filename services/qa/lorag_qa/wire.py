"""What qa answers with, as messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lorag.qa.v1 import qa_pb2 as pb
from lorag_common.job_servicer import timestamp
from lorag_common.rag_config import RagConfig
from lorag_qa.answering import End, Event, Sources
from lorag_qa.checked import Sentence
from lorag_qa.search import Box, Found
from lorag_qa.suspicion import is_suspicious
from lorag_qa.thinking import Thinking


def config(found: RagConfig) -> pb.Config:
    """The configuration."""
    return pb.Config(
        model=found.llm.ollama.model,
        release_id=found.release,
        base_url=found.llm.ollama.base_url,
        temperature=found.llm.ollama.temperature,
        num_ctx=found.llm.ollama.num_ctx,
        top_k=found.retrieval.top_k,
        vector_weight=found.retrieval.vector_weight,
        embedder=found.embedding.model,
        history=found.history,
        problem=found.problem,
        keep_releases=found.keep_releases,
    )


def event(found: Event) -> pb.AnswerResponse:
    """One event of an answer."""
    if isinstance(found, str):
        return pb.AnswerResponse(text=found)
    if isinstance(found, Thinking):
        return pb.AnswerResponse(thinking=found.text)
    if isinstance(found, Sources):
        sources = [_source(n, p) for n, p in enumerate(found.passages, start=1)]
        return pb.AnswerResponse(sources=pb.Sources(sources=sources, query=found.query, notices=found.notices))
    return pb.AnswerResponse(end=_end(found))


def evaluation(found: dict[str, Any]) -> pb.Evaluation:
    """What stands in evaluation.json."""
    return pb.Evaluation(
        release_id=found["release_id"],
        baseline=found["baseline"],
        verdict=f"VERDICT_{found['verdict']}",  # type: ignore[arg-type]
        summary=found["summary"],
        question_count=found["question_count"],
        unanswerable_count=found["unanswerable_count"],
        generated=found["generated"],
        candidate=pb.Quality(**found["candidate"]) if found["candidate"] else None,
        current=pb.Quality(**found["current"]) if found["current"] else None,
        differences=[pb.Difference(**d) for d in found["differences"]],
        create_time=timestamp(datetime.fromisoformat(found["create_time"]).timestamp()),
        evaluation_json=json.dumps(found, ensure_ascii=False),
    )


def _source(number: int, found: Found) -> pb.Source:
    return pb.Source(
        number=number,
        document_id=found.document_id,
        document_name=found.document,
        page=found.page,
        span_start=found.span[0],
        span_end=found.span[1],
        text=found.text,
        score=found.score,
        boxes=_boxes(found.boxes(found.span)),
        suspicious=is_suspicious(found.text),
    )


def _end(found: End) -> pb.AnswerEnd:
    tokens = found.tokens
    return pb.AnswerEnd(
        model=found.model,
        prompt_tokens=tokens.sent,
        evaluated_tokens=tokens.evaluated or 0,
        answer_tokens=tokens.answer,
        cited=found.cited,
        finish_reason=found.finish_reason,
        first_token_seconds=found.first_token_seconds,
        total_seconds=found.total_seconds,
        sentences=[_sentence(s) for s in found.sentences],
        answered=not found.refusal,
        refusal=found.refusal,
        tokens=pb.Tokens(**vars(tokens)),
        queue_seconds=found.queue_seconds,
    )


def _sentence(found: Sentence) -> pb.Sentence:
    return pb.Sentence(
        text=found.text,
        start=found.start,
        end=found.end,
        status=f"SENTENCE_STATUS_{found.status}",  # type: ignore[arg-type]
        support=found.support,
        citations=[
            pb.Citation(
                number=c.number,
                document_id=c.document_id,
                document_name=c.document,
                page=c.page,
                span_start=c.span[0],
                span_end=c.span[1],
                quote=c.quote,
                boxes=_boxes(c.boxes),
            )
            for c in found.citations
        ],
        marked=found.marked,
        reason=found.reason,
        withheld=found.withheld,
    )


def _boxes(boxes: Sequence[Box]) -> list[pb.Box]:
    return [pb.Box(**b._asdict()) for b in boxes]
