"""Callers that go away before there is anything to send them: what was done for them is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

from fastapi import Request

T = TypeVar("T")


class CallerGone(Exception):
    """Nobody is left to answer."""


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Do the work for a request whose body was read; when its caller hangs up, the work is cancelled.

    A response that streams notices that by itself, but only once it has begun.

    Raises:
        CallerGone: the caller hung up first.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise CallerGone
        return task.result()
    finally:
        for pending in (task, gone):
            if not pending.done():
                pending.cancel()
                with suppress(asyncio.CancelledError):
                    await pending


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
