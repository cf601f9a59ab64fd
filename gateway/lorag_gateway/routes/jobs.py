"""Jobs of every service, routed by the prefix of their ids, and pipelines, which are the gateway's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from lorag.jobs.v1 import jobs_pb2 as pb
from lorag_common.errors import LoragError, Reason
from lorag_common.job_servicer import job_to_proto
from lorag_common.jobs import Jobs
from lorag_gateway.bodies import IdempotencyKey, PageSize, PipelineBody
from lorag_gateway.pipeline import KIND
from lorag_gateway.routes.deps import JobsDep, ServicesDep
from lorag_gateway.services import Services
from lorag_gateway.sse import DESCRIPTION, Event, event_stream
from lorag_gateway.wire import schema_of, to_json

router = APIRouter(tags=["jobs"])


@router.post("/pipelines", response_model=schema_of(pb.GetJobResponse), status_code=202)
async def start_pipeline(body: PipelineBody, jobs: JobsDep, key: IdempotencyKey = "") -> Response:
    """Queue train -> convert -> publish -> activate as one job; its last progress message names the release."""
    record = await asyncio.to_thread(jobs.start, KIND, body.model_dump(), key)
    return JSONResponse({"job": to_json(job_to_proto(record))}, 202)


@router.get("/jobs")
async def list_jobs(
    services: ServicesDep,
    jobs: JobsDep,
    page_size: PageSize = 0,
    kind: Annotated[str, Query(description="Only jobs of this kind.")] = "",
) -> Response:
    """The newest jobs of all services; `unavailable` names services that did not answer."""
    size = page_size or 50
    unavailable: list[str] = []

    async def of(name: str) -> list[dict[str, Any]]:
        request = pb.ListJobsRequest(page_size=size, kind=kind)
        try:
            page = await services.call(name, services.jobs[name].ListJobs, request)
        except LoragError as error:
            if error.reason not in (Reason.SERVICE_UNAVAILABLE, Reason.DEADLINE):
                raise
            unavailable.append(name)
            return []
        return [to_json(job) for job in page.jobs]

    own = [] if kind not in ("", KIND) else await asyncio.to_thread(jobs.list, "", size)
    found = [to_json(job_to_proto(record)) for record in own]
    for part in await asyncio.gather(*map(of, services.jobs)):
        found += part
    found.sort(key=lambda job: job.get("create_time", ""), reverse=True)
    return JSONResponse({"jobs": found[:size], "unavailable": sorted(unavailable)})


@router.get("/jobs/{job_id}", response_model=schema_of(pb.GetJobResponse))
async def get_job(job_id: str, services: ServicesDep, jobs: JobsDep) -> Response:
    """One job as it is now."""
    owner = _owner(job_id, services, jobs)
    if owner == jobs.service:
        job = job_to_proto(await asyncio.to_thread(jobs.get, job_id))
    else:
        job = (await services.call(owner, services.jobs[owner].GetJob, pb.GetJobRequest(id=job_id))).job
    return JSONResponse({"job": to_json(job)})


@router.post("/jobs/{job_id}:cancel", response_model=schema_of(pb.CancelJobResponse))
async def cancel_job(job_id: str, services: ServicesDep, jobs: JobsDep) -> Response:
    """Ask a job to stop; one that has ended is returned unchanged."""
    owner = _owner(job_id, services, jobs)
    if owner == jobs.service:
        job = job_to_proto(await asyncio.to_thread(jobs.cancel, job_id))
    else:
        job = (await services.call(owner, services.jobs[owner].CancelJob, pb.CancelJobRequest(id=job_id))).job
    return JSONResponse({"job": to_json(job)})


@router.get("/jobs/{job_id}/events", responses=DESCRIPTION, response_class=Response)
async def watch_job(job_id: str, services: ServicesDep, jobs: JobsDep) -> Response:
    """Server-sent events: `job` at once, after every change, and last in its final state; or `error`."""
    return await event_stream(_events(job_id, services, jobs))


async def _events(job_id: str, services: Services, jobs: Jobs) -> AsyncIterator[Event]:
    owner = _owner(job_id, services, jobs)
    if owner == jobs.service:
        async for record in jobs.watch(job_id):
            yield "job", to_json(job_to_proto(record))
        return
    request = pb.WatchJobRequest(id=job_id)
    async with aclosing(services.stream(owner, services.jobs[owner].WatchJob, request)) as messages:  # type: ignore[type-var]
        async for message in messages:
            yield "job", to_json(message.job)


def _owner(job_id: str, services: Services, jobs: Jobs) -> str:
    owner = job_id.partition("-")[0]
    if owner != jobs.service and owner not in services.jobs:
        raise LoragError(Reason.JOB_NOT_FOUND, f"There is no job '{job_id}'.", field="job_id")
    return owner
