"""An answer whose reader went away: taken up where it broke off, stopped when nobody comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import pytest

from lorag_common.errors import LoragError, Reason
from lorag_gateway.kept_answers import KeptAnswers
from lorag_gateway.sse import Event

ME, OTHER = "me", "other"


class Upstream:
    """Pieces that come when a test lets them, and whether the generation was stopped."""

    def __init__(self, error: Exception | None = None) -> None:
        self.let = asyncio.Queue[str]()
        self.error = error
        self.stopped = False

    async def events(self) -> AsyncGenerator[Event]:
        try:
            while (piece := await self.let.get()) != "end":
                yield "text", {"text": piece}
            if self.error:
                raise self.error
            yield "end", {}
        finally:
            self.stopped = True

    def say(self, *pieces: str) -> None:
        for piece in pieces:
            self.let.put_nowait(piece)


def in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 10))

    run.__name__ = test.__name__
    return run


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@in_a_loop
async def test_a_reader_that_comes_back_gets_the_rest_and_nothing_twice() -> None:
    upstream, kept = Upstream(), KeptAnswers()
    answer = kept.open(ME, 5, upstream.events())
    upstream.say("a", "b")
    first = kept.events(answer, ME)
    assert await anext(first) == ("text", {"text": "a"}, "1")
    await first.aclose()  # type: ignore[attr-defined]
    upstream.say("c", "end")
    rest = [event async for event in kept.events(answer, ME, after=1)]
    assert rest == [("text", {"text": "b"}, "2"), ("text", {"text": "c"}, "3"), ("end", {}, "4")]
    assert [number for *_, number in [e async for e in kept.events(answer, ME)]] == ["1", "2", "3", "4"]
    await kept.close()


@in_a_loop
async def test_when_nobody_comes_back_the_generation_stops_and_the_answer_is_forgotten() -> None:
    upstream, kept = Upstream(), KeptAnswers()
    answer = kept.open(ME, 0.05, upstream.events())
    upstream.say("a")
    reader = kept.events(answer, ME)
    await anext(reader)
    await reader.aclose()  # type: ignore[attr-defined]
    await settle()
    assert not upstream.stopped, "it goes on while it may still be taken up"
    await asyncio.sleep(0.1)
    await settle()
    assert upstream.stopped
    with pytest.raises(LoragError) as gone:
        await anext(kept.events(answer, ME))
    assert gone.value.reason is Reason.ANSWER_NOT_FOUND


@in_a_loop
async def test_stopping_stops_at_once_and_only_the_asker_may() -> None:
    upstream, kept = Upstream(), KeptAnswers()
    answer = kept.open(ME, 60, upstream.events())
    upstream.say("a")
    await anext(kept.events(answer, ME))
    for act in (lambda: kept.stop(answer, OTHER), lambda: kept.stop("guessed", ME)):
        with pytest.raises(LoragError) as refused:
            act()
        assert refused.value.reason is Reason.ANSWER_NOT_FOUND
    with pytest.raises(LoragError):
        await anext(kept.events(answer, OTHER))
    kept.stop(answer, ME)
    await settle()
    assert upstream.stopped


@in_a_loop
async def test_what_an_answer_failed_by_is_told_to_who_comes_back_too() -> None:
    upstream, kept = Upstream(LoragError(Reason.GPU_BUSY, "A training runs.")), KeptAnswers()
    answer = kept.open(ME, 5, upstream.events())
    upstream.say("a", "end")
    for _ in range(2):
        reader = kept.events(answer, ME)
        assert (await anext(reader))[2] == "1"
        with pytest.raises(LoragError) as failed:
            await anext(reader)
        assert failed.value.reason is Reason.GPU_BUSY
    await kept.close()


@in_a_loop
async def test_an_error_that_nobody_foresaw_ends_the_answer_as_an_error_too() -> None:
    kept, upstream = KeptAnswers(), Upstream(ZeroDivisionError("inside"))
    answer_id = kept.open(ME, 60, upstream.events())
    upstream.say("a", "end")
    with pytest.raises(LoragError) as found:
        [event async for event in kept.events(answer_id, ME)]
    assert found.value.reason is Reason.INTERNAL and "inside" not in found.value.message
    await kept.close()
