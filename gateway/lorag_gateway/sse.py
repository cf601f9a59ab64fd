"""Server-sent events: one event an item, a comment when nothing happens, a problem as the last event."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi.responses import StreamingResponse

from lorag_common.errors import LoragError
from lorag_gateway.problems import problem_of

KEEPALIVE_SECONDS = 15.0
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
# Name, data and, where a reader may come back, the number that it comes back with.
Event = tuple[str, Any] | tuple[str, Any, str]

DESCRIPTION: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A stream of events; `data` is JSON.",
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "object",
                    "required": ["event", "data"],
                    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
                }
            }
        },
    }
}


async def event_stream(events: AsyncIterator[Event], headers: Mapping[str, str] = {}) -> StreamingResponse:
    """Answer with events. An error before the first one is raised, so that it becomes an ordinary HTTP error."""
    first = await _next(events)
    return StreamingResponse(_lines(first, events), media_type="text/event-stream", headers={**HEADERS, **headers})


async def _lines(first: Event | None, rest: AsyncIterator[Event]) -> AsyncIterator[str]:
    task: asyncio.Task[Event | None] | None = None
    try:
        if first is not None:
            yield _line(*first)
        while True:
            task = asyncio.ensure_future(_next(rest))
            while not (await asyncio.wait({task}, timeout=KEEPALIVE_SECONDS))[0]:
                yield ": still here\n\n"
            try:
                event = task.result()
            except LoragError as error:
                yield _line("error", problem_of(error))
                return
            if event is None:
                return
            yield _line(*event)
    finally:
        if task is not None and not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, LoragError):
                await task
        if hasattr(rest, "aclose"):
            await rest.aclose()


async def _next(rest: AsyncIterator[Event]) -> Event | None:
    return await anext(rest, None)


def _line(event: str, data: Any, number: str = "") -> str:
    # JSON has no line breaks of its own, so one data line is enough.
    head = f"id: {number}\n" if number else ""
    return f"{head}event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
