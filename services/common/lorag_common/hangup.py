"""Callers of an HTTP server that go away before there is anything to send them: what was done for them is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeVar

T = TypeVar("T")


class CallerGone(Exception):
    """Nobody is left to answer."""


async def unless_gone(receive: Callable[[], Awaitable[MutableMapping[str, Any]]], work: Awaitable[T]) -> T:
    """Do the work for a request whose body was read; when its caller hangs up, the work is cancelled.

    A response that streams notices that by itself, but only once it has begun.

    Args:
        receive: the request's ASGI channel.
        work: what the caller waits for.

    Raises:
        CallerGone: the caller hung up first.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise CallerGone
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.wait({task, gone})


async def _gone(receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
