"""OpenAI's API at /v1: any client of it can talk to the releases, and with `+docs` after the name to the documents."""

from __future__ import annotations

import base64
import struct
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from lorag.converter.v1 import converter_pb2
from lorag.qa.v1 import qa_pb2
from lorag_common.errors import LoragError, Reason
from lorag_common.hangup import unless_gone
from lorag_gateway.access.caller import needs
from lorag_gateway.access.keys import Scope
from lorag_gateway.openai.chat import WITH_DOCUMENTS, events, whole
from lorag_gateway.openai.shapes import ChatBody, EmbeddingsBody
from lorag_gateway.problems import OPENAI_RESPONSES
from lorag_gateway.routes.deps import ServicesDep
from lorag_gateway.services import Services

router = APIRouter(tags=["openai"], responses=OPENAI_RESPONSES)
# More releases than a person tells apart; they are listed for clients that show a menu.
RELEASES = 200
_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; with `stream` its pieces as server-sent events, `[DONE]` last.",
        "content": {
            "text/event-stream": {
                "schema": {"type": "object", "required": ["data"], "properties": {"data": {"type": "string"}}}
            }
        },
    }
}


@router.get("/models")
async def list_models(services: ServicesDep) -> JSONResponse:
    """Published releases; each also as `name+docs`, which answers from the documents."""
    models = await _models(services)
    return JSONResponse({"object": "list", "data": models})


@router.get("/models/{model}")
async def get_model(model: str, services: ServicesDep) -> JSONResponse:
    """One model."""
    for found in await _models(services):
        if found["id"] == model:
            return JSONResponse(found)
    raise LoragError(Reason.MODEL_NOT_FOUND, f"There is no model '{model}'.", field="model")


async def _models(services: Services) -> list[dict[str, Any]]:
    request = converter_pb2.ListReleasesRequest(page_size=RELEASES)
    listed = (await services.call("converter", services.converter.ListReleases, request)).releases
    config = (await services.call("qa", services.qa.GetConfig, qa_pb2.GetConfigRequest())).config
    made = {r.id: r.create_time.seconds for r in listed if r.published}
    active = config.release_id or config.model
    # An active release answers to its name without the version as well.
    names = {active.partition(":")[0]: made.get(active, 0)} | made if active else made
    return [
        {"id": name + suffix, "object": "model", "created": created, "owned_by": "lorag"}
        for name, created in names.items()
        for suffix in ("", WITH_DOCUMENTS)
    ]


@router.post("/chat/completions", responses=_STREAMED)
@needs(Scope.READ)
async def chat_completions(body: ChatBody, request: Request, services: ServicesDep) -> Response:
    """Answer a conversation; with `+docs` after the model's name from the documents, citations as annotations."""
    body.refuse_what_is_not_there()
    base_url = str(request.base_url)
    if not body.stream:
        return JSONResponse(await unless_gone(request.receive, whole(services, body, base_url)))
    lines = events(services, body, base_url)
    first = await unless_gone(request.receive, anext(lines))
    return StreamingResponse(_with_first(first, lines), media_type="text/event-stream")


async def _with_first(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    async with aclosing(rest) as lines:  # type: ignore[type-var]
        yield first
        async for line in lines:
            yield line


@router.post("/embeddings")
@needs(Scope.READ)
async def embeddings(body: EmbeddingsBody, services: ServicesDep) -> JSONResponse:
    """One vector a text. A text beyond the model's context is an error, never cut."""
    config = (await services.call("qa", services.qa.GetConfig, qa_pb2.GetConfigRequest())).config
    vectors = await services.model_server(config.base_url).embed(body.model, body.texts)
    data = [
        {"object": "embedding", "index": i, "embedding": _encoded(vector, body.encoding_format)}
        for i, vector in enumerate(vectors)
    ]
    # The model server does not count an embedding's tokens.
    usage = {"prompt_tokens": 0, "total_tokens": 0}
    return JSONResponse({"object": "list", "data": data, "model": body.model, "usage": usage})


def _encoded(vector: list[float], form: str) -> list[float] | str:
    """Numbers, or their little-endian 32-bit floats in base64."""
    return vector if form == "float" else base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
