"""Answers and the configuration they work by."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from fastapi import APIRouter
from fastapi.responses import Response

from lorag.qa.v1 import qa_pb2 as pb
from lorag_gateway.bodies import AnswerBody, ConfigBody
from lorag_gateway.routes.deps import ServicesDep
from lorag_gateway.services import Services
from lorag_gateway.sse import DESCRIPTION, Event, event_stream
from lorag_gateway.wire import json_response, schema_of, to_json

router = APIRouter(tags=["answers"])


@router.post("/answers", responses=DESCRIPTION, response_class=Response)
async def answer(body: AnswerBody, services: ServicesDep) -> Response:
    """Answer from the documents, as server-sent events: `sources` once, `text` pieces, `end` once; or `error`."""
    request = pb.AnswerRequest(**body.model_dump(exclude_none=True))
    return await event_stream(_events(services, request))


async def _events(services: Services, request: pb.AnswerRequest) -> AsyncIterator[Event]:
    async with aclosing(services.stream("qa", services.qa.Answer, request)) as messages:  # type: ignore[type-var]
        async for message in messages:
            kind = message.WhichOneof("event")
            yield kind, {"text": message.text} if kind == "text" else to_json(getattr(message, kind))


@router.get("/config", response_model=schema_of(pb.GetConfigResponse))
async def get_config(services: ServicesDep) -> Response:
    """What answering works by."""
    return json_response(await services.call("qa", services.qa.GetConfig, pb.GetConfigRequest()))


@router.patch("/config", response_model=schema_of(pb.UpdateConfigResponse))
async def update_config(body: ConfigBody, services: ServicesDep) -> Response:
    """Change the settings that are given; the next question feels it."""
    request = pb.UpdateConfigRequest(**body.model_dump(exclude_none=True))
    return json_response(await services.call("qa", services.qa.UpdateConfig, request))
