"""JobService over the jobs of a service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TypeAlias

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from lorag.jobs.v1 import jobs_pb2 as pb
from lorag.jobs.v1 import jobs_pb2_grpc
from lorag_common.jobs import JobRecord, Jobs, Progress
from lorag_common.paging import page_of

Context: TypeAlias = grpc.aio.ServicerContext


def timestamp(seconds: float) -> Timestamp | None:
    """A proto timestamp; None for 0, which stands for "not yet"."""
    if not seconds:
        return None
    stamp = Timestamp()
    stamp.FromMilliseconds(int(seconds * 1000))
    return stamp


def progress_to_proto(p: Progress) -> pb.JobProgress:
    """Encode progress."""
    return pb.JobProgress(stage=p.stage, completed=p.completed, total=p.total, metrics=p.metrics, message=p.message)


def job_to_proto(record: JobRecord) -> pb.Job:
    """Encode a job."""
    return pb.Job(
        id=record.id,
        kind=record.kind,
        state=f"JOB_STATE_{record.state}",
        progress=progress_to_proto(record.progress),
        artifacts=[pb.Artifact(uri=a.uri, sha256=a.sha256, size=a.size) for a in record.artifacts],
        error=pb.JobError(**{k: v for k, v in record.error.items() if k != "field"}) if record.error else None,
        create_time=timestamp(record.create_time),
        start_time=timestamp(record.start_time),
        end_time=timestamp(record.end_time),
        spec_json=json.dumps(record.spec, ensure_ascii=False),
    )


class JobServicer(jobs_pb2_grpc.JobServiceServicer):
    """Decodes, calls `Jobs`, encodes."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.GetJobResponse:
        """See the proto."""
        return pb.GetJobResponse(job=job_to_proto(await asyncio.to_thread(self._jobs.get, request.id)))

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        """See the proto."""
        page = page_of(request.page_size, request.page_token)
        records = await asyncio.to_thread(self._jobs.list, request.kind, page.size + 1, page.offset)
        return pb.ListJobsResponse(
            jobs=[job_to_proto(r) for r in records[: page.size]], next_page_token=page.next_token(len(records))
        )

    async def CancelJob(self, request: pb.CancelJobRequest, context: Context) -> pb.CancelJobResponse:
        """See the proto."""
        return pb.CancelJobResponse(job=job_to_proto(await asyncio.to_thread(self._jobs.cancel, request.id)))

    async def WatchJob(self, request: pb.WatchJobRequest, context: Context) -> AsyncIterator[pb.WatchJobResponse]:
        """See the proto."""
        async for record in self._jobs.watch(request.id):
            yield pb.WatchJobResponse(job=job_to_proto(record))

    async def ListJobEvents(self, request: pb.ListJobEventsRequest, context: Context) -> pb.ListJobEventsResponse:
        """See the proto."""
        return await asyncio.to_thread(events_to_proto, self._jobs, request)

    async def GetJobLog(self, request: pb.GetJobLogRequest, context: Context) -> pb.GetJobLogResponse:
        """See the proto."""
        return await asyncio.to_thread(log_to_proto, self._jobs, request)


def events_to_proto(jobs: Jobs, request: pb.ListJobEventsRequest) -> pb.ListJobEventsResponse:
    """The events of a job of `jobs`."""
    events = jobs.events(request.id, request.max_events or 500)
    return pb.ListJobEventsResponse(
        events=[pb.JobEvent(time=timestamp(at), progress=progress_to_proto(p)) for at, p in events]
    )


def log_to_proto(jobs: Jobs, request: pb.GetJobLogRequest) -> pb.GetJobLogResponse:
    """The log of a job of `jobs`."""
    text, size = jobs.log_tail(request.id, request.max_bytes or 65536)
    return pb.GetJobLogResponse(text=text, size=size)
