"""Watching jobs: however many watch a job, it is asked once, and each watcher gets the latest state (none queues up)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from lorag.jobs.v1 import jobs_pb2 as pb
from lorag_common.errors import LoragError
from lorag_common.job_servicer import job_to_proto
from lorag_common.jobs import Jobs
from lorag_gateway.services import Services
from lorag_gateway.wire import to_json

Job = dict[str, Any]


class _Feed:
    """One job's states, from one upstream to any number of watchers."""

    def __init__(self, upstream: AsyncIterator[Job], ended: Callable[[], None]) -> None:
        self.watchers = 0
        self._version = 0
        self._latest: Job | None = None
        self._error: BaseException | None = None
        self._over = False
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._read(upstream, ended))

    async def _read(self, upstream: AsyncIterator[Job], ended: Callable[[], None]) -> None:
        try:
            async for job in upstream:
                self._latest = job
                self._wake()
        except LoragError as error:
            self._error = error
        finally:
            self._over = True
            ended()
            self._wake()

    def _wake(self) -> None:
        self._version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def states(self) -> AsyncIterator[Job]:
        """The latest state at once, then each change; ends or raises as the upstream does."""
        seen: Job | None = None
        while True:
            changed, over = self._changed, self._over
            if self._latest is not None and self._latest is not seen:
                seen = self._latest
                yield seen
                continue
            if over:
                if self._error is not None:
                    raise self._error
                return
            await changed.wait()

    async def stop(self) -> None:
        """Give up the upstream."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


class Watching:
    """The watched jobs of all services. Lives in one event loop."""

    def __init__(self, services: Services, jobs: Jobs) -> None:
        self._services, self._jobs = services, jobs
        self._feeds: dict[str, _Feed] = {}

    async def watch(self, job_id: str) -> AsyncIterator[Job]:
        """The job as JSON at once, then after every change, until a final state.

        Raises:
            LoragError: JOB_NOT_FOUND; what the service failed by.
        """
        feed = self._feeds.get(job_id)
        if feed is None:
            feed = _Feed(self._upstream(job_id), lambda: self._drop(job_id, feed))
            self._feeds[job_id] = feed
        feed.watchers += 1
        try:
            async for job in feed.states():
                yield job
        finally:
            feed.watchers -= 1
            if not feed.watchers:
                self._drop(job_id, feed)
                await feed.stop()

    async def watch_all(self, job_ids: list[str]) -> AsyncIterator[Job]:
        """Several jobs at once: each at once, then after each of its changes, until all are final.

        Raises:
            LoragError: what any of them failed by.
        """
        changed: asyncio.Queue[Job | BaseException | None] = asyncio.Queue()

        async def follow(job_id: str) -> None:
            try:
                async for job in self.watch(job_id):
                    await changed.put(job)
            except LoragError as error:
                await changed.put(error)
            else:
                await changed.put(None)

        tasks = [asyncio.create_task(follow(job_id)) for job_id in job_ids]
        try:
            left = len(tasks)
            while left:
                found = await changed.get()
                if isinstance(found, BaseException):
                    raise found
                if found is None:
                    left -= 1
                else:
                    yield found
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Give up every upstream."""
        for feed in [*self._feeds.values()]:
            await feed.stop()

    def _drop(self, job_id: str, feed: _Feed | None) -> None:
        if self._feeds.get(job_id) is feed:
            del self._feeds[job_id]

    async def _upstream(self, job_id: str) -> AsyncIterator[Job]:
        owner = job_id.partition("-")[0]
        if owner == self._jobs.service:
            async for record in self._jobs.watch(job_id):
                yield to_json(job_to_proto(record))
            return
        request = pb.WatchJobRequest(id=job_id)
        async for message in self._services.stream(owner, self._services.jobs[owner].WatchJob, request):
            yield to_json(message.job)
