"""One chat completion: `name` goes to the model server as it is, `name+docs` to question answering."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from lorag.qa.v1 import qa_pb2 as pb
from lorag_common.errors import LoragError, Reason
from lorag_gateway.openai.shapes import ChatBody
from lorag_gateway.problems import openai_error
from lorag_gateway.services import Services

WITH_DOCUMENTS = "+docs"


@dataclass
class Usage:
    """Tokens of prompt and answer."""

    prompt: int = 0
    answer: int = 0

    def as_dict(self) -> dict[str, int]:
        """In the shape of that API."""
        total = self.prompt + self.answer
        return {"prompt_tokens": self.prompt, "completion_tokens": self.answer, "total_tokens": total}


@dataclass
class Piece:
    """The next thing of an answer: text, thinking, or the end."""

    text: str = ""
    thinking: str = ""
    finish: str = ""
    usage: Usage = field(default_factory=Usage)
    annotations: list[dict[str, Any]] = field(default_factory=list)


async def pieces(services: Services, body: ChatBody, base_url: str) -> AsyncIterator[Piece]:
    """The answer, piece by piece; the last one has `finish`.

    Args:
        services: question answering, which also knows the model server.
        body: the request.
        base_url: of this gateway, for the citations' addresses.

    Raises:
        LoragError: what the service or the model server failed by.
    """
    found = _from_documents if body.model.endswith(WITH_DOCUMENTS) else _plain
    async with aclosing(found(services, body, base_url)) as stream:  # type: ignore[type-var]
        async for piece in stream:
            yield piece


async def _plain(services: Services, body: ChatBody, _: str) -> AsyncIterator[Piece]:
    config = (await services.call("qa", services.qa.GetConfig, pb.GetConfigRequest())).config
    wanted = {
        "num_ctx": config.num_ctx,
        "temperature": config.temperature if body.temperature is None else body.temperature,
        "top_p": body.top_p,
        "seed": body.seed,
        "stop": [body.stop] if isinstance(body.stop, str) else body.stop,
        "num_predict": body.most_tokens or None,
    }
    options = {k: v for k, v in wanted.items() if v is not None}
    messages = [{"role": "system" if m.role == "developer" else m.role, "content": m.text} for m in body.messages]
    server = services.model_server(config.base_url)
    async with aclosing(server.chat(body.model, messages, **options)) as stream:  # type: ignore[type-var]
        async for part in stream:
            if part.message.content or part.message.thinking:
                yield Piece(text=part.message.content or "", thinking=part.message.thinking or "")
            if part.done:
                usage = Usage(part.prompt_eval_count or 0, part.eval_count or 0)
                yield Piece(finish="length" if part.done_reason == "length" else "stop", usage=usage)


async def _from_documents(services: Services, body: ChatBody, base_url: str) -> AsyncIterator[Piece]:
    *earlier, last = body.messages
    roles = {"user": pb.ROLE_USER, "assistant": pb.ROLE_ASSISTANT}
    request = pb.AnswerRequest(
        question=last.text,
        model=body.model.removesuffix(WITH_DOCUMENTS),
        temperature=body.temperature,
        max_tokens=body.most_tokens,
        history=[pb.Turn(role=roles[m.role], text=m.text) for m in earlier if m.role in roles],
    )
    sources: list[Any] = []
    text = ""
    async with aclosing(services.stream("qa", services.qa.Answer, request)) as stream:  # type: ignore[type-var]
        async for message in stream:
            kind = message.WhichOneof("event")
            if kind == "sources":
                sources = [*message.sources.sources]
            elif kind == "thinking":
                yield Piece(thinking=message.thinking)
            elif kind == "text":
                text += message.text
                yield Piece(text=message.text)
            else:
                end = message.end
                if not text and end.refusal:
                    # Strict clients know no other place for it than the answer.
                    yield Piece(text=end.refusal)
                finish = "length" if end.finish_reason == "length" else "stop"
                usage = Usage(end.prompt_tokens, end.answer_tokens)
                yield Piece(finish=finish, usage=usage, annotations=_annotations(text, sources, end, base_url))


def _annotations(text: str, sources: list[Any], end: Any, base_url: str) -> list[dict[str, Any]]:
    """Citations as `url_citation`s: where in the answer each mark stands, and the page that it leads to."""
    by_number = {s.number: s for s in sources}
    found = []
    for number in end.cited:
        source, mark = by_number.get(number), f"[{number}]"
        start = text.find(mark)
        if source is None:
            continue
        span = {"page": source.page, "start": source.span_start, "end": source.span_end}
        citation = {
            "url": f"{base_url}documents/{source.document_id}?{urlencode(span)}",
            "title": f"{source.document_name}, p. {source.page}",
            "start_index": max(start, 0),
            "end_index": start + len(mark) if start >= 0 else 0,
        }
        found.append({"type": "url_citation", "url_citation": citation})
    return found


async def whole(services: Services, body: ChatBody, base_url: str) -> dict[str, Any]:
    """The completion as one object."""
    text = thinking = ""
    last = Piece()
    async with aclosing(pieces(services, body, base_url)) as stream:  # type: ignore[type-var]
        async for piece in stream:
            text += piece.text
            thinking += piece.thinking
            if piece.finish:
                last = piece
    if not last.finish:
        raise LoragError(Reason.MODEL_SERVER_FAILED, "The answer broke off before its end.")
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": last.annotations}
    if thinking:
        message["reasoning_content"] = thinking
    choice = {"index": 0, "message": message, "finish_reason": last.finish, "logprobs": None}
    return _head("chat.completion", body.model) | {"choices": [choice], "usage": last.usage.as_dict()}


async def events(services: Services, body: ChatBody, base_url: str) -> AsyncIterator[str]:
    """The completion as server-sent events, `[DONE]` last. The first event comes only when the answer has begun."""
    head = _head("chat.completion.chunk", body.model)
    begun = False
    try:
        async with aclosing(pieces(services, body, base_url)) as stream:  # type: ignore[type-var]
            async for piece in stream:
                delta: dict[str, Any] = {} if begun else {"role": "assistant", "content": ""}
                begun = True
                if piece.text:
                    delta["content"] = piece.text
                if piece.thinking:
                    delta["reasoning_content"] = piece.thinking
                if piece.annotations:
                    delta["annotations"] = piece.annotations
                choice = {"index": 0, "delta": delta, "finish_reason": piece.finish or None, "logprobs": None}
                yield _data(head | {"choices": [choice]})
                if piece.finish and body.stream_options and body.stream_options.include_usage:
                    yield _data(head | {"choices": [], "usage": piece.usage.as_dict()})
    except LoragError as error:
        if not begun:
            raise
        yield _data(openai_error(error))
        return
    yield "data: [DONE]\n\n"


def _head(kind: str, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": model}


def _data(value: Any) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"
