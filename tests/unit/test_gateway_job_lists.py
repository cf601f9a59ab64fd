"""The jobs of all services as one list: every job once, newest first, however long the pages are."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lorag.jobs.v1 import jobs_pb2 as pb
from lorag_common.paging import MAX_SIZE, page_of
from lorag_gateway.job_lists import list_jobs


class Service:
    """Jobs of one service, as its servicer pages them."""

    def __init__(self, name: str, times: list[int]) -> None:
        self.jobs = [pb.Job(id=f"{name}-{t}") for t in sorted(times, reverse=True)]
        for job, time in zip(self.jobs, sorted(times, reverse=True), strict=True):
            job.create_time.FromSeconds(1_000_000_000 + time)

    async def ListJobs(self, request: pb.ListJobsRequest) -> pb.ListJobsResponse:
        page = page_of(request.page_size, request.page_token)
        rows = self.jobs[page.offset : page.offset + page.size + 1]
        return pb.ListJobsResponse(jobs=rows[: page.size], next_page_token=page.next_token(len(rows)))


class Services:
    def __init__(self, **jobs: Service) -> None:
        self.jobs = jobs

    async def call(self, _: str, method: Any, request: Any) -> Any:
        return await method(request)


class Own:
    """A gateway that has no jobs of its own."""

    service = "gateway"

    def list(self, *_: Any) -> list[Any]:
        return []


@pytest.mark.parametrize("size", [1, 7, MAX_SIZE - 1, MAX_SIZE])
@pytest.mark.parametrize("other", [[], [3, 100, 101, 5000]])
def test_every_job_is_listed_once_whatever_the_size_of_a_page(size: int, other: list[int]) -> None:
    services: Any = Services(trainer=Service("trainer", [2 * n for n in range(450)]), qa=Service("qa", other))
    own: Any = Own()
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        page = asyncio.run(list_jobs(services, own, size, token))
        assert len(page["jobs"]) <= size
        found += page["jobs"]
        token = page["next_page_token"]
        if not token:
            break
    times = [job["create_time"] for job in found]
    assert len(found) == 450 + len(other) == len({job["id"] for job in found})
    assert times == sorted(times, reverse=True)
