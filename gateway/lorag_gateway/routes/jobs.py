"""Jobs of every service, routed by the prefix of their ids, and pipelines, which are the gateway's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from lorag.jobs.v1 import jobs_pb2 as pb
from lorag_common.errors import LoragError, Reason
from lorag_common.job_servicer import events_to_proto, job_to_proto, log_to_proto
from lorag_common.jobs import Jobs
from lorag_gateway import job_lists
from lorag_gateway.bodies.pipelines import PipelineBody
from lorag_gateway.bodies.shared import IdempotencyKey, Int32, PageSize, PageToken
from lorag_gateway.pipeline import KIND
from lorag_gateway.problems import errors
from lorag_gateway.routes.deps import JobsDep, ServicesDep, WatchingDep
from lorag_gateway.services import Services
from lorag_gateway.sse import DESCRIPTION, Event, event_stream
from lorag_gateway.watching import Watching
from lorag_gateway.wire import json_response, schema_of, to_json

router = APIRouter(tags=["jobs"])
_MISSING = errors(Reason.JOB_NOT_FOUND)


class JobList(BaseModel):
    """A page of jobs."""

    jobs: list[schema_of(pb.Job)]  # type: ignore[valid-type]
    next_page_token: str = Field(description="Empty on the last page.")
    unavailable: list[str] = Field(description="Services that did not answer; their jobs are missing.")


@router.post(
    "/pipelines",
    response_model=schema_of(pb.GetJobResponse),
    status_code=202,
    responses=errors(Reason.REQUEST_ID_REUSED),
)
async def start_pipeline(body: PipelineBody, jobs: JobsDep, key: IdempotencyKey = "") -> Response:
    """Queue train -> convert -> publish -> evaluate -> activate as one job; its last message names the release."""
    record = await asyncio.to_thread(jobs.start, KIND, body.model_dump(), key)
    return JSONResponse({"job": to_json(job_to_proto(record))}, 202)


@router.get("/jobs", response_model=JobList)
async def list_jobs(
    services: ServicesDep,
    jobs: JobsDep,
    page_size: PageSize = 0,
    page_token: PageToken = "",
    kind: Annotated[str, Query(description="Only jobs of this kind.")] = "",
) -> Response:
    """The jobs of all services, newest first; `unavailable` names services that did not answer."""
    return JSONResponse(await job_lists.list_jobs(services, jobs, page_size or 50, page_token, kind))


@router.get("/jobs/{job_id}", response_model=schema_of(pb.GetJobResponse), responses=_MISSING)
async def get_job(job_id: str, services: ServicesDep, jobs: JobsDep) -> Response:
    """One job as it is now."""
    return JSONResponse({"job": await job_now(job_id, services, jobs)})


async def job_now(job_id: str, services: Services, jobs: Jobs) -> dict[str, Any]:
    """One job as it is now."""
    owner = owner_of(job_id, services, jobs)
    if owner == jobs.service:
        return to_json(job_to_proto(await asyncio.to_thread(jobs.get, job_id)))
    return to_json((await services.call(owner, services.jobs[owner].GetJob, pb.GetJobRequest(id=job_id))).job)


@router.post("/jobs/{job_id}:cancel", response_model=schema_of(pb.CancelJobResponse), responses=_MISSING)
async def cancel_job(job_id: str, services: ServicesDep, jobs: JobsDep) -> Response:
    """Ask a job to stop; one that has ended is returned unchanged."""
    owner = owner_of(job_id, services, jobs)
    if owner == jobs.service:
        job = job_to_proto(await asyncio.to_thread(jobs.cancel, job_id))
    else:
        job = (await services.call(owner, services.jobs[owner].CancelJob, pb.CancelJobRequest(id=job_id))).job
    return JSONResponse({"job": to_json(job)})


@router.get("/jobs/{job_id}/events", responses=DESCRIPTION | _MISSING, response_class=Response)
async def watch_job(job_id: str, services: ServicesDep, jobs: JobsDep, watching: WatchingDep) -> Response:
    """Server-sent events: `job` at once, after every change, and last in its final state; or `error`.

    Reconnecting needs no cursor: the whole job comes first.
    """
    owner_of(job_id, services, jobs)
    return await event_stream(_events(job_id, watching))


@router.get("/jobs/{job_id}/history", response_model=schema_of(pb.ListJobEventsResponse), responses=_MISSING)
async def job_history(
    job_id: str,
    services: ServicesDep,
    jobs: JobsDep,
    max_events: Annotated[Int32, Query(description="At most this many, 2 to 5000; 0 means 500.")] = 0,
) -> Response:
    """What a job has said of itself so far, oldest first: a training's losses, for a chart."""
    owner = owner_of(job_id, services, jobs)
    request = pb.ListJobEventsRequest(id=job_id, max_events=max_events)
    if owner == jobs.service:
        return json_response(await asyncio.to_thread(events_to_proto, jobs, request))
    return json_response(await services.call(owner, services.jobs[owner].ListJobEvents, request))


@router.get("/jobs/{job_id}/log", response_model=schema_of(pb.GetJobLogResponse), responses=_MISSING)
async def job_log(
    job_id: str,
    services: ServicesDep,
    jobs: JobsDep,
    max_bytes: Annotated[Int32, Query(description="At most this many of the last bytes; 0 means 65536.")] = 0,
) -> Response:
    """The end of a job's log."""
    owner = owner_of(job_id, services, jobs)
    request = pb.GetJobLogRequest(id=job_id, max_bytes=max_bytes)
    if owner == jobs.service:
        return json_response(await asyncio.to_thread(log_to_proto, jobs, request))
    return json_response(await services.call(owner, services.jobs[owner].GetJobLog, request))


@router.get("/events", responses=DESCRIPTION | _MISSING, response_class=Response)
async def watch_jobs(
    job_id: Annotated[list[str], Query(description="Jobs to watch.", min_length=1, max_length=100)],
    services: ServicesDep,
    jobs: JobsDep,
    watching: WatchingDep,
) -> Response:
    """Several jobs in one stream of `job` events, as a page needs them; it ends when all have ended."""
    for one in job_id:
        owner_of(one, services, jobs)
    return await event_stream(_all_events(sorted(set(job_id)), watching))


async def _all_events(job_ids: list[str], watching: Watching) -> AsyncIterator[Event]:
    async with aclosing(watching.watch_all(job_ids)) as found:  # type: ignore[type-var]
        async for job in found:
            yield "job", job


async def _events(job_id: str, watching: Watching) -> AsyncIterator[Event]:
    async with aclosing(watching.watch(job_id)) as found:  # type: ignore[type-var]
        async for job in found:
            yield "job", job


def owner_of(job_id: str, services: Services, jobs: Jobs) -> str:
    """The service whose job this is.

    Raises:
        LoragError: JOB_NOT_FOUND.
    """
    owner = job_id.partition("-")[0]
    if owner != jobs.service and owner not in services.jobs:
        raise LoragError(Reason.JOB_NOT_FOUND, f"There is no job '{job_id}'.", field="job_id")
    return owner
