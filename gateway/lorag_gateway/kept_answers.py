"""Answers that outlive their connection for a while, so that a reader who lost it goes on where it broke off."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress

from lorag_common.errors import LoragError, Reason
from lorag_common.log import get_logger
from lorag_gateway.sse import Event

log = get_logger(__name__)


class _Kept:
    """One answer: what has come so far, and the task that reads the rest."""

    def __init__(self, caller: str, keep_seconds: float, upstream: AsyncGenerator[Event]) -> None:
        self.caller, self.keep_seconds = caller, keep_seconds
        self.events: list[Event] = []
        self.readers = 0
        self.expiry: asyncio.TimerHandle | None = None
        self.error: LoragError | None = None
        self.over = False
        self.changed = asyncio.Event()
        # The task has the request's context, and with it its id and its caller.
        self.task = asyncio.create_task(self._read(upstream))

    async def _read(self, upstream: AsyncGenerator[Event]) -> None:
        try:
            async with aclosing(upstream) as events:
                async for event in events:
                    self.events.append(event)
                    self._wake()
        except LoragError as error:
            self.error = error
        except Exception as error:
            # The task's own exception would reach nobody, and the answer would seem to have ended.
            log.error("unhandled error in an answer", exc_info=error)
            self.error = LoragError(Reason.INTERNAL, "An unexpected error ended the answer; the gateway's log has it.")
        finally:
            self.over = True
            self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class KeptAnswers:
    """The answers that are being read or may be taken up again. Lives in one event loop; nothing survives it."""

    def __init__(self) -> None:
        self._answers: dict[str, _Kept] = {}

    def open(self, caller: str, keep_seconds: float, upstream: AsyncGenerator[Event]) -> str:
        """Begin an answer; its id, which nobody can guess.

        Args:
            caller: only this one may read it.
            keep_seconds: how long it goes on, and is kept, without a reader.
            upstream: its events; closing it stops the generation.
        """
        answer_id = secrets.token_urlsafe(16)
        self._answers[answer_id] = _Kept(caller, keep_seconds, upstream)
        return answer_id

    async def events(self, answer_id: str, caller: str, after: int = 0) -> AsyncIterator[Event]:
        """The events behind the first `after`, each with its number, to the end.

        Raises:
            LoragError: ANSWER_NOT_FOUND; what the answer failed by.
        """
        kept = self._of(answer_id, caller)
        if kept.expiry:
            kept.expiry.cancel()
        kept.readers += 1
        try:
            while True:
                changed, over = kept.changed, kept.over
                while after < len(kept.events):
                    name, data, *_ = kept.events[after]
                    after += 1
                    yield name, data, str(after)
                if over:
                    if kept.error:
                        raise kept.error
                    return
                await changed.wait()
        finally:
            kept.readers -= 1
            if not kept.readers and answer_id in self._answers:
                loop = asyncio.get_running_loop()
                kept.expiry = loop.call_later(kept.keep_seconds, self._drop, answer_id)

    def stop(self, answer_id: str, caller: str) -> None:
        """Stop the generation and forget the answer.

        Raises:
            LoragError: ANSWER_NOT_FOUND.
        """
        self._of(answer_id, caller)
        self._drop(answer_id)

    async def close(self) -> None:
        """Stop all."""
        tasks = [kept.task for kept in self._answers.values()]
        for answer_id in [*self._answers]:
            self._drop(answer_id)
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    def _of(self, answer_id: str, caller: str) -> _Kept:
        kept = self._answers.get(answer_id)
        if kept is None or kept.caller != caller:
            raise LoragError(Reason.ANSWER_NOT_FOUND, "This answer is not kept here any more.", field="answer_id")
        return kept

    def _drop(self, answer_id: str) -> None:
        kept = self._answers.pop(answer_id, None)
        if kept:
            if kept.expiry:
                kept.expiry.cancel()
            kept.task.cancel()
