"""The jobs of all services as one list, newest first, a page at a time."""

from __future__ import annotations

import asyncio
import base64
import json
from itertools import islice
from typing import Any

from lorag.jobs.v1 import jobs_pb2 as pb
from lorag_common.errors import LoragError, Reason
from lorag_common.job_servicer import job_to_proto
from lorag_common.jobs import Jobs
from lorag_common.paging import token_of
from lorag_gateway.pipeline import KIND
from lorag_gateway.services import Services
from lorag_gateway.wire import to_json


async def list_jobs(services: Services, jobs: Jobs, size: int, token: str = "", kind: str = "") -> dict[str, Any]:
    """`jobs`, newest first, `next_page_token`, and `unavailable`: the services that did not answer.

    A token carries how many jobs of each service the pages before have shown.

    Raises:
        LoragError: INVALID_FIELD when the token is not one of these.
    """
    shown = _decode(token, [jobs.service, *services.jobs])
    unavailable: list[str] = []
    longer: list[str] = []

    async def of(name: str) -> list[dict[str, Any]]:
        offset = shown.get(name, 0)
        if name == jobs.service:
            own = await asyncio.to_thread(jobs.list, "", size + 1, offset) if kind in ("", KIND) else []
            return [to_json(job_to_proto(record)) for record in own]
        request = pb.ListJobsRequest(page_size=size + 1, page_token=token_of(offset), kind=kind)
        try:
            page = await services.call(name, services.jobs[name].ListJobs, request)
        except LoragError as error:
            if error.reason not in (Reason.SERVICE_UNAVAILABLE, Reason.DEADLINE):
                raise
            unavailable.append(name)
            return []
        if page.next_page_token:
            # One row more than a page was asked for, and a service sends no more than its own longest page.
            longer.append(name)
        return [to_json(job) for job in page.jobs]

    names = [jobs.service, *services.jobs]
    found = [
        (name, job) for name, part in zip(names, await asyncio.gather(*map(of, names)), strict=True) for job in part
    ]
    found.sort(key=lambda pair: pair[1].get("create_time", ""), reverse=True)
    taken = list(islice(found, size))
    for name, _ in taken:
        shown[name] = shown.get(name, 0) + 1
    return {
        "jobs": [job for _, job in taken],
        "next_page_token": _encode(shown) if len(found) > size or longer else "",
        "unavailable": sorted(unavailable),
    }


def _encode(shown: dict[str, int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(shown).encode()).decode()


def _decode(token: str, names: list[str]) -> dict[str, int]:
    if not token:
        return {}
    try:
        shown = json.loads(base64.urlsafe_b64decode(token.encode()))
        if not isinstance(shown, dict) or not shown.keys() <= set(names):
            raise ValueError(token)
        if not all(type(n) is int and 0 <= n < 2**31 for n in shown.values()):
            raise ValueError(token)
    except ValueError as error:
        raise LoragError(Reason.INVALID_FIELD, "page_token is not one of this list's.", field="page_token") from error
    return shown
