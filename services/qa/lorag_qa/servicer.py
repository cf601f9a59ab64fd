"""QaService: decodes, calls, encodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TypeAlias

import grpc

from lorag.qa.v1 import qa_pb2 as pb
from lorag.qa.v1 import qa_pb2_grpc
from lorag_common.channel import CALLER
from lorag_common.job_servicer import job_to_proto
from lorag_common.prompts import Turn
from lorag_qa import wire
from lorag_qa.activation import Activation
from lorag_qa.answering import Answering, Question
from lorag_qa.evaluations import Evaluations
from lorag_qa.questions import TestQuestion

Context: TypeAlias = grpc.aio.ServicerContext
ROLES = {pb.ROLE_USER: "user", pb.ROLE_ASSISTANT: "assistant"}

# Field of UpdateConfigRequest -> key of rag_config.yaml.
KEYS = {
    "base_url": "llm.ollama.base_url",
    "temperature": "llm.ollama.temperature",
    "num_ctx": "llm.ollama.num_ctx",
    "top_k": "retrieval.top_k",
    "vector_weight": "retrieval.vector_weight",
    "embedder": "embedding.model",
    "keep_releases": "keep_releases",
}


class QaServicer(qa_pb2_grpc.QaServiceServicer):
    """Over an `Answering`, an `Activation` and `Evaluations`."""

    def __init__(self, answering: Answering, activation: Activation, evaluations: Evaluations) -> None:
        self._answering, self._activation, self._evaluations = answering, activation, evaluations

    async def Answer(self, request: pb.AnswerRequest, context: Context) -> AsyncIterator[pb.AnswerResponse]:
        question = Question(
            text=request.question,
            model=request.model,
            top_k=request.top_k,
            temperature=request.temperature if request.HasField("temperature") else None,
            document_ids=tuple(request.document_ids),
            max_tokens=request.max_tokens,
            strict=request.mode == pb.ANSWER_MODE_STRICT,
            history=tuple(Turn(ROLES.get(t.role, "user"), t.text) for t in request.history),
            caller=_caller(context),
        )
        async with aclosing(self._answering.answer(question)) as events:
            async for event in events:
                yield wire.event(event)

    async def ActivateRelease(self, request: pb.ActivateReleaseRequest, context: Context) -> pb.ActivateReleaseResponse:
        config = await asyncio.to_thread(self._activation.activate, request.release_id, force=request.force)
        return pb.ActivateReleaseResponse(config=wire.config(config))

    async def RollbackRelease(self, request: pb.RollbackReleaseRequest, context: Context) -> pb.RollbackReleaseResponse:
        return pb.RollbackReleaseResponse(config=wire.config(await asyncio.to_thread(self._activation.rollback)))

    async def StartEvaluation(self, request: pb.StartEvaluationRequest, context: Context) -> pb.StartEvaluationResponse:
        record = await asyncio.to_thread(
            self._evaluations.start,
            release_id=request.release_id,
            baseline=request.baseline,
            questions=[TestQuestion(q.question, tuple(q.expected), q.document_id, q.page) for q in request.questions],
            count=request.question_count,
            request_id=request.request_id,
        )
        return pb.StartEvaluationResponse(job=job_to_proto(record))

    async def GetEvaluation(self, request: pb.GetEvaluationRequest, context: Context) -> pb.GetEvaluationResponse:
        found = await asyncio.to_thread(self._evaluations.get, request.release_id)
        return pb.GetEvaluationResponse(evaluation=wire.evaluation(found))

    async def GetConfig(self, request: pb.GetConfigRequest, context: Context) -> pb.GetConfigResponse:
        return pb.GetConfigResponse(config=wire.config(await asyncio.to_thread(self._activation.config)))

    async def UpdateConfig(self, request: pb.UpdateConfigRequest, context: Context) -> pb.UpdateConfigResponse:
        changes = {key: getattr(request, name) for name, key in KEYS.items() if request.HasField(name)}
        return pb.UpdateConfigResponse(config=wire.config(await asyncio.to_thread(self._activation.update, changes)))


def _caller(context: Context) -> str:
    """Whose turn a question takes: who the gateway says it asks for, else the address it comes from."""
    given = dict(context.invocation_metadata() or ()).get(CALLER)
    return str(given or context.peer().rpartition(":")[0])
