"""Answers and the configuration they work by."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from fastapi import APIRouter
from fastapi.responses import Response

from lorag.qa.v1 import qa_pb2 as pb
from lorag_common.errors import Reason
from lorag_gateway.access.caller import needs
from lorag_gateway.access.keys import Scope
from lorag_gateway.bodies.answers import AnswerBody, ConfigBody
from lorag_gateway.problems import errors
from lorag_gateway.routes.deps import ServicesDep
from lorag_gateway.services import Services
from lorag_gateway.sse import DESCRIPTION, Event, event_stream
from lorag_gateway.wire import json_response, schema_of, to_json

router = APIRouter(tags=["answers"])
_ANSWER = errors(Reason.MODEL_NOT_FOUND, Reason.NO_ACTIVE_RELEASE, Reason.OUT_OF_MEMORY)


@router.post("/answers", responses=DESCRIPTION | _ANSWER, response_class=Response)
@needs(Scope.READ)
async def answer(body: AnswerBody, services: ServicesDep) -> Response:
    """Answer from the documents, as server-sent events.

    `sources` once, `thinking` and `text` pieces, `end` once with every sentence checked; or `error`.
    """
    return await event_stream(answer_events(services, body.to_proto()))


async def answer_events(services: Services, request: pb.AnswerRequest) -> AsyncIterator[Event]:
    """The events of one answer; closing the iterator stops the generation."""
    async with aclosing(services.stream("qa", services.qa.Answer, request)) as messages:  # type: ignore[type-var]
        async for message in messages:
            kind = message.WhichOneof("event")
            found = getattr(message, kind)
            yield kind, {"text": found} if isinstance(found, str) else to_json(found)


@router.get("/config", response_model=schema_of(pb.GetConfigResponse))
async def get_config(services: ServicesDep) -> Response:
    """What answering works by."""
    return json_response(await services.call("qa", services.qa.GetConfig, pb.GetConfigRequest()))


@router.patch("/config", response_model=schema_of(pb.UpdateConfigResponse))
@needs(Scope.ADMIN)
async def update_config(body: ConfigBody, services: ServicesDep) -> Response:
    """Change the settings that are given; the next question feels it."""
    request = pb.UpdateConfigRequest(**body.model_dump(exclude_none=True))
    return json_response(await services.call("qa", services.qa.UpdateConfig, request))
