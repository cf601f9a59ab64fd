"""QaService: decodes, calls, encodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeAlias

import grpc

from lorag.qa.v1 import qa_pb2 as pb
from lorag.qa.v1 import qa_pb2_grpc
from lorag_common.rag_config import RagConfig
from lorag_qa.activation import Activation
from lorag_qa.answering import Answering, End, Question, Sources

Context: TypeAlias = grpc.aio.ServicerContext

# Field of UpdateConfigRequest -> key of rag_config.yaml.
KEYS = {
    "base_url": "llm.ollama.base_url",
    "temperature": "llm.ollama.temperature",
    "num_ctx": "llm.ollama.num_ctx",
    "top_k": "retrieval.top_k",
    "vector_weight": "retrieval.vector_weight",
    "embedder": "embedding.model",
}


class QaServicer(qa_pb2_grpc.QaServiceServicer):
    """Over an `Answering` and an `Activation`."""

    def __init__(self, answering: Answering, activation: Activation) -> None:
        self._answering, self._activation = answering, activation

    async def Answer(self, request: pb.AnswerRequest, context: Context) -> AsyncIterator[pb.AnswerResponse]:
        question = Question(
            text=request.question,
            model=request.model,
            top_k=request.top_k,
            temperature=request.temperature if request.HasField("temperature") else None,
            document_ids=tuple(request.document_ids),
            max_tokens=request.max_tokens,
        )
        async for event in self._answering.answer(question):
            yield _event(event)

    async def ActivateRelease(self, request: pb.ActivateReleaseRequest, context: Context) -> pb.ActivateReleaseResponse:
        config = await asyncio.to_thread(self._activation.activate, request.release_id)
        return pb.ActivateReleaseResponse(config=_config(config))

    async def RollbackRelease(self, request: pb.RollbackReleaseRequest, context: Context) -> pb.RollbackReleaseResponse:
        return pb.RollbackReleaseResponse(config=_config(await asyncio.to_thread(self._activation.rollback)))

    async def GetConfig(self, request: pb.GetConfigRequest, context: Context) -> pb.GetConfigResponse:
        return pb.GetConfigResponse(config=_config(await asyncio.to_thread(self._activation.config)))

    async def UpdateConfig(self, request: pb.UpdateConfigRequest, context: Context) -> pb.UpdateConfigResponse:
        changes = {key: getattr(request, name) for name, key in KEYS.items() if request.HasField(name)}
        return pb.UpdateConfigResponse(config=_config(await asyncio.to_thread(self._activation.update, changes)))


def _config(config: RagConfig) -> pb.Config:
    return pb.Config(
        model=config.llm.ollama.model,
        release_id=config.release,
        base_url=config.llm.ollama.base_url,
        temperature=config.llm.ollama.temperature,
        num_ctx=config.llm.ollama.num_ctx,
        top_k=config.retrieval.top_k,
        vector_weight=config.retrieval.vector_weight,
        embedder=config.embedding.model,
        history=config.history,
    )


def _event(event: Sources | str | End) -> pb.AnswerResponse:
    if isinstance(event, str):
        return pb.AnswerResponse(text=event)
    if isinstance(event, End):
        return pb.AnswerResponse(end=pb.AnswerEnd(**vars(event)))
    sources = [
        pb.Source(
            number=n,
            document_id=p.document_id,
            document_name=p.document,
            page=p.page,
            span_start=p.span[0],
            span_end=p.span[1],
            text=p.text,
            score=p.score,
        )
        for n, p in enumerate(event.passages, start=1)
    ]
    return pb.AnswerResponse(sources=pb.Sources(sources=sources))
