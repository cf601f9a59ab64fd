"""One question: retrieve, fit, generate, check. The order of events is the contract's; see the proto."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorag_common import metrics, rag_config
from lorag_common.errors import LoragError, Reason
from lorag_common.log import get_logger
from lorag_common.model_server import AsyncModelServer
from lorag_common.prompts import Passage, Turn, cited_numbers
from lorag_common.rag_config import RagConfig
from lorag_qa import conversation, releases
from lorag_qa.checked import Checker, Gate, Sentence, refusal
from lorag_qa.generation import Generation
from lorag_qa.prompt import Prompt, prepare
from lorag_qa.search import Found, Searcher
from lorag_qa.thinking import Thinking
from lorag_qa.tokens import Tokens, evaluated_tokens
from lorag_qa.turns import Ticket, Turns

log = get_logger(__name__)
DEFAULT_MAX_TOKENS = 512
NO_PASSAGE = "no_passage"


@dataclass(frozen=True)
class Question:
    """What is asked; fields left at their default are taken from the configuration. `caller` is whose turn it takes."""

    text: str
    model: str = ""
    top_k: int = 0
    temperature: float | None = None
    document_ids: tuple[str, ...] = ()
    max_tokens: int = 0
    strict: bool = False
    history: tuple[Turn, ...] = ()
    caller: str = ""


@dataclass(frozen=True)
class Sources:
    """The passages given to the model, number n at index n - 1; what was searched for, and what is to be known of it."""

    passages: tuple[Found, ...]
    query: str = ""
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class End:
    """How it went; times in seconds."""

    model: str
    cited: tuple[int, ...]
    finish_reason: str
    first_token_seconds: float
    total_seconds: float
    queue_seconds: float
    sentences: tuple[Sentence, ...]
    refusal: str
    tokens: Tokens


Event = Sources | Thinking | str | End


@dataclass
class _Clock:
    started: float = field(default_factory=time.monotonic)
    waited: float = 0.0
    first: float = 0.0


class Answering:
    """Answers questions over one data folder.

    Args:
        data: the data folder.
        default_url: model server to name when there is no configuration yet.
        searcher: finds passages.
        turns: who is answered next; None answers all at once.
        gpu_holder: names the job that holds the GPU of a data folder, or None.
    """

    def __init__(
        self,
        data: Path,
        default_url: str,
        searcher: Searcher,
        turns: Turns | None = None,
        gpu_holder: Callable[[Path], str | None] = lambda _: None,
    ) -> None:
        self._data, self._default_url, self._searcher = data, default_url, searcher
        self._turns = turns or Turns(1_000_000, 0)
        self._gpu_holder = gpu_holder
        self._server: AsyncModelServer | None = None

    async def answer(self, question: Question) -> AsyncGenerator[Event]:
        """First `Sources`, then pieces of thinking and text, then exactly one `End`. Closing it stops the generation.

        Where no passage fits the question, no model is asked: `Sources` is empty, and `End` carries the refusal.

        Raises:
            LoragError: INVALID_FIELD, TOO_MANY_QUESTIONS, GPU_BUSY, NO_ACTIVE_RELEASE, INDEX_EMPTY, CONTEXT_OVERFLOW,
                PROMPT_UNSAFE, MODEL_NOT_FOUND, OUT_OF_MEMORY, MODEL_SERVER_UNAVAILABLE, MODEL_SERVER_FAILED,
                SERVICE_UNAVAILABLE.
        """
        _require_sound(question)
        clock = _Clock()
        ticket = self._turns.take(question.caller)
        try:
            async with aclosing(self._in_turn(question, ticket, clock)) as events:
                async for event in events:
                    yield event
        finally:
            ticket.give_up()

    async def _in_turn(self, question: Question, ticket: Ticket, clock: _Clock) -> AsyncGenerator[Event]:
        config = await asyncio.to_thread(rag_config.load, self._data, self._default_url)
        model = question.model or config.llm.ollama.model
        if not model:
            raise LoragError(Reason.NO_ACTIVE_RELEASE, "No release is active yet.")
        if (job := self._gpu_holder(self._data)) is not None:
            raise LoragError(Reason.GPU_BUSY, f"The training {job} holds the GPU.")
        history = conversation.clean(question.history)
        query = conversation.search_query(question.text.strip(), history)
        retrieved = await self._searcher.search(
            query,
            top_k=question.top_k or config.retrieval.top_k,
            vector_weight=config.retrieval.vector_weight,
            document_ids=question.document_ids,
        )
        if not (found := retrieved.passages):
            yield Sources((), query, retrieved.notices)
            yield _nothing_found(question, model, clock)
            return
        release = await asyncio.to_thread(releases.find, self._data, model)
        max_tokens = question.max_tokens or min(DEFAULT_MAX_TOKENS, config.llm.ollama.num_ctx // 4)
        room = config.llm.ollama.num_ctx - max_tokens
        prompt = await asyncio.to_thread(prepare, release, question.text.strip(), _passages(found), history, room)
        given = found[: prompt.passages]
        yield Sources(given, query, retrieved.notices)

        clock.waited = await ticket.come()
        generation = Generation(self._server_at(config.llm.ollama.base_url), model, release, prompt)
        gate = Gate(Checker(given), strict=question.strict)
        async with aclosing(generation.stream(_options(question, config, max_tokens))) as pieces:
            async for piece in pieces:
                clock.first = clock.first or time.monotonic()
                if isinstance(piece, Thinking):
                    yield piece
                elif shown := gate.add(piece):
                    yield shown
        if shown := gate.finish():
            yield shown
        yield await _end(question, generation, prompt, gate, clock, len(found))

    def _server_at(self, url: str) -> AsyncModelServer:
        """The client of the model server, kept with the connection of the last answer."""
        if self._server is None or self._server.url != url:
            self._server = AsyncModelServer(url)
        return self._server


async def _end(
    question: Question, generation: Generation, prompt: Prompt, gate: Gate, clock: _Clock, found: int
) -> End:
    told = generation.prompt_eval_count
    context = None
    if prompt.exact and told is not None and told < prompt.tokens:
        context = await _context_of(generation)
    tokens = Tokens(
        budgeted=prompt.room,
        sent=prompt.tokens,
        evaluated=evaluated_tokens(prompt.tokens, told, context) if prompt.exact else told,
        answer=generation.eval_count,
        exact=prompt.exact,
        passages_left_out=found - prompt.passages,
        turns_left_out=len(conversation.clean(question.history)) - prompt.turns,
    )
    metrics.TOKENS.labels("prompt").inc(told or prompt.tokens)
    metrics.TOKENS.labels("answer").inc(generation.eval_count)
    now = time.monotonic()
    return End(
        model=generation.model,
        cited=tuple(cited_numbers(gate.answer, prompt.passages)),
        finish_reason=generation.finish_reason,
        first_token_seconds=(clock.first or now) - clock.started,
        total_seconds=now - clock.started,
        queue_seconds=clock.waited,
        sentences=tuple(gate.sentences),
        refusal=refusal(question.text, gate.sentences),
        tokens=tokens,
    )


def _nothing_found(question: Question, model: str, clock: _Clock) -> End:
    """The end of an answer for which there is no passage: what the model would say could only be invented."""
    took = time.monotonic() - clock.started
    tokens = Tokens(budgeted=0, sent=0, evaluated=None, answer=0, exact=False)
    return End(model, (), NO_PASSAGE, took, took, 0.0, (), refusal(question.text, ()), tokens)


async def _context_of(generation: Generation) -> int | None:
    """The loaded model's context; None also when the server went away after its last word, which harms no answer."""
    try:
        return await generation.server.context_of(generation.model)
    except LoragError as error:
        log.warning("the model server does not say what is loaded", error=str(error))
        return None


def _require_sound(question: Question) -> None:
    """Raise INVALID_FIELD for an empty question or a number out of range, rather than taking some other number for it."""
    if not question.text.strip():
        raise LoragError(Reason.INVALID_FIELD, "The question is empty.", field="question")
    limits = {"max_tokens": (question.max_tokens, 0, 1 << 20), "top_k": (question.top_k, 0, 50)}
    for name, (value, low, high) in (limits | {"temperature": (question.temperature or 0.0, 0, 2)}).items():
        if not low <= value <= high:
            raise LoragError(Reason.INVALID_FIELD, f"{name} is {value}, outside of {low} to {high}.", field=name)


def _options(question: Question, config: RagConfig, max_tokens: int) -> dict[str, Any]:
    configured = config.llm.ollama
    return {
        "num_ctx": configured.num_ctx,
        "num_predict": max_tokens,
        "temperature": configured.temperature if question.temperature is None else question.temperature,
    }


def _passages(found: Sequence[Found]) -> list[Passage]:
    return [Passage(p.text, p.document, p.page) for p in found]
