"""Answers and the configuration they work by."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response

from lorag.qa.v1 import qa_pb2 as pb
from lorag_common.errors import Reason
from lorag_common.hangup import unless_gone
from lorag_gateway.access.caller import needs
from lorag_gateway.access.keys import Scope
from lorag_gateway.bodies.answers import AnswerBody, ConfigBody
from lorag_gateway.problems import errors
from lorag_gateway.routes.deps import CallerDep, KeptAnswersDep, ServicesDep
from lorag_gateway.services import Services
from lorag_gateway.sse import DESCRIPTION, Event, event_stream
from lorag_gateway.wire import json_response, schema_of, to_json

router = APIRouter(tags=["answers"])
LastEventId = Annotated[
    int, Header(alias="Last-Event-ID", ge=0, lt=2**31, description="`id` of the last event that was seen.")
]
_GONE = errors(Reason.ANSWER_NOT_FOUND)
_ANSWER = errors(Reason.MODEL_NOT_FOUND, Reason.NO_ACTIVE_RELEASE, Reason.OUT_OF_MEMORY)


@router.post("/answers", responses=DESCRIPTION | _ANSWER, response_class=Response)
@needs(Scope.READ)
async def answer(
    body: AnswerBody, request: Request, services: ServicesDep, kept: KeptAnswersDep, caller: CallerDep
) -> Response:
    """Answer from the documents, as server-sent events.

    `sources` once, `thinking` and `text` pieces, `end` once with every sentence checked; or `error`. With `keep_seconds`
    a connection that was lost is taken up again by `GET /answers/{Answer-Id}/events`.
    """
    events = answer_events(services, body.to_proto())
    if not body.keep_seconds:
        return await unless_gone(request.receive, event_stream(events))
    answer_id = kept.open(caller.id, body.keep_seconds, events)
    reading = event_stream(kept.events(answer_id, caller.id), {"Answer-Id": answer_id})
    return await unless_gone(request.receive, reading)


@router.get("/answers/{answer_id}/events", responses=DESCRIPTION | _ANSWER | _GONE, response_class=Response)
async def go_on_with_answer(answer_id: str, kept: KeptAnswersDep, caller: CallerDep, last: LastEventId = 0) -> Response:
    """The rest of an answer, behind the event that was seen last."""
    return await event_stream(kept.events(answer_id, caller.id, last), {"Answer-Id": answer_id})


@router.delete("/answers/{answer_id}", status_code=204, responses=_GONE)
@needs(Scope.READ)
async def stop_answer(answer_id: str, kept: KeptAnswersDep, caller: CallerDep) -> Response:
    """Stop an answer that is kept."""
    kept.stop(answer_id, caller.id)
    return Response(status_code=204)


async def answer_events(services: Services, request: pb.AnswerRequest) -> AsyncGenerator[Event]:
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
