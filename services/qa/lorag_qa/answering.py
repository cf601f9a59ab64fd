"""One question: retrieve, fit, generate, cite."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorag_common import rag_config
from lorag_common.errors import LoragError, Reason
from lorag_common.model_server import AsyncModelServer
from lorag_common.prompts import Passage, build_messages, cited_numbers
from lorag_qa import releases
from lorag_qa.budget import Fitted, fit
from lorag_qa.search import Found, Searcher

DEFAULT_MAX_TOKENS = 512
# Without the model's own tokenizer: no tokenizer in use takes more than about one token a character of Japanese.
TOKENS_PER_CHARACTER = 1.2


@dataclass(frozen=True)
class Question:
    """What is asked; fields left at their default are taken from the configuration."""

    text: str
    model: str = ""
    top_k: int = 0
    temperature: float | None = None
    document_ids: tuple[str, ...] = ()
    max_tokens: int = 0


@dataclass(frozen=True)
class Sources:
    """The passages given to the model, number n at index n - 1."""

    passages: tuple[Found, ...]


@dataclass(frozen=True)
class End:
    """How it went. Counts in tokens, times in seconds; `evaluated_tokens` 0 when the server did not say."""

    model: str
    prompt_tokens: int
    evaluated_tokens: int
    answer_tokens: int
    cited: tuple[int, ...]
    finish_reason: str
    first_token_seconds: float
    total_seconds: float


@dataclass
class _Progress:
    text: list[str] = field(default_factory=list)
    first: float = 0.0
    last: Any = None


class Answering:
    """Answers questions over one data folder."""

    def __init__(self, data: Path, default_url: str, searcher: Searcher) -> None:
        self._data, self._default_url, self._searcher = data, default_url, searcher

    async def answer(self, question: Question) -> AsyncIterator[Sources | str | End]:
        """First `Sources`, then pieces of text, then exactly one `End`.

        Raises:
            LoragError: INVALID_FIELD, NO_ACTIVE_RELEASE, INDEX_EMPTY, CONTEXT_OVERFLOW, MODEL_NOT_FOUND,
                MODEL_SERVER_UNAVAILABLE, MODEL_SERVER_FAILED, SERVICE_UNAVAILABLE.
        """
        started = time.monotonic()
        text = question.text.strip()
        if not text:
            raise LoragError(Reason.INVALID_FIELD, "The question is empty.", field="question")
        _require_ranges(question)
        config = await asyncio.to_thread(rag_config.load, self._data, self._default_url)
        model = question.model or config.llm.ollama.model
        if not model:
            raise LoragError(Reason.NO_ACTIVE_RELEASE, "No release is active yet.")
        found = await self._searcher.search(
            text,
            top_k=question.top_k or config.retrieval.top_k,
            vector_weight=config.retrieval.vector_weight,
            document_ids=question.document_ids,
        )
        if not found:
            raise LoragError(Reason.INDEX_EMPTY, "No passage was found for this question.")
        release = await asyncio.to_thread(releases.find, self._data, model)
        if release is not None and release.template.empty:
            release = None  # the server's own template is the only one there is
        num_ctx = config.llm.ollama.num_ctx
        max_tokens = question.max_tokens or min(DEFAULT_MAX_TOKENS, num_ctx // 4)
        fitted = _fit(release, text, found, num_ctx - max_tokens)
        yield Sources(tuple(found[: fitted.passages]))

        options: dict[str, Any] = {
            "num_ctx": num_ctx,
            "num_predict": max_tokens,
            "temperature": config.llm.ollama.temperature if question.temperature is None else question.temperature,
        }
        server = AsyncModelServer(config.llm.ollama.base_url)
        progress = _Progress()
        async for piece in _generate(server, model, release, text, found[: fitted.passages], fitted, options, progress):
            progress.first = progress.first or time.monotonic()
            progress.text.append(piece)
            yield piece
        yield _end(model, release is not None, fitted, progress, started)


def _require_ranges(question: Question) -> None:
    limits = {"max_tokens": (question.max_tokens, 0, 1 << 20), "top_k": (question.top_k, 0, 50)}
    for name, (value, low, high) in (limits | {"temperature": (question.temperature or 0.0, 0, 2)}).items():
        if not low <= value <= high:
            raise LoragError(Reason.INVALID_FIELD, f"{name} is {value}, outside of {low} to {high}.", field=name)


def _fit(release: releases.Release | None, question: str, found: Sequence[Found], room: int) -> Fitted:
    def render(passages: Sequence[Found]) -> str:
        messages = _messages(question, passages)
        if release is None:
            return "\n".join(m["content"] for m in messages)
        return release.template.render(messages)

    count = release.count if release else lambda prompt: int(len(prompt) * TOKENS_PER_CHARACTER)
    return fit(found, render, count, room)


def _messages(question: str, passages: Sequence[Found]) -> list[dict[str, str]]:
    return build_messages(question, [Passage(p.text, p.document, p.page) for p in passages])


async def _generate(
    server: AsyncModelServer,
    model: str,
    release: releases.Release | None,
    question: str,
    passages: Sequence[Found],
    fitted: Fitted,
    options: dict[str, Any],
    progress: _Progress,
) -> AsyncIterator[str]:
    """Pieces of text. A release gets the finished prompt raw; any other model its messages."""
    if release is not None:
        async for part in server.generate(model, fitted.prompt, raw=True, stop=list(release.stop), **options):
            progress.last = part
            if part.response:
                yield part.response
        return
    async for reply in server.chat(model, _messages(question, passages), **options):
        progress.last = reply
        if reply.message.content:
            yield reply.message.content


def _end(model: str, counted: bool, fitted: Fitted, progress: _Progress, started: float) -> End:
    last = progress.last
    if last is None or not last.done:
        raise LoragError(Reason.MODEL_SERVER_FAILED, "The model server broke the answer off before its end.")
    evaluated = int(last.prompt_eval_count or 0)
    if counted and evaluated <= fitted.tokens // 2:
        # Some releases of Ollama count only what was not in their prompt cache: so low a count says nothing.
        evaluated = 0
    if counted and 0 < evaluated < fitted.tokens:
        raise LoragError(
            Reason.CONTEXT_OVERFLOW, f"The model server evaluated {evaluated} of {fitted.tokens} tokens of the prompt."
        )
    now = time.monotonic()
    return End(
        model=model,
        prompt_tokens=fitted.tokens,
        evaluated_tokens=evaluated,
        answer_tokens=int(last.eval_count or 0),
        cited=tuple(cited_numbers("".join(progress.text), fitted.passages)),
        finish_reason=str(last.done_reason or "stop"),
        first_token_seconds=(progress.first or now) - started,
        total_seconds=now - started,
    )
