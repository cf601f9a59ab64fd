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
from lorag_common.jobs import JobRecord, Jobs
from lorag_common.paging import page_of

Context: TypeAlias = grpc.aio.ServicerContext


def timestamp(seconds: float) -> Timestamp | None:
    """A proto timestamp; None for 0, which stands for "not yet"."""
    if not seconds:
        return None
    stamp = Timestamp()
    stamp.FromMilliseconds(int(seconds * 1000))
    return stamp


def job_to_proto(record: JobRecord) -> pb.Job:
    """Encode a job."""
    p = record.progress
    return pb.Job(
        id=record.id,
        kind=record.kind,
        state=f"JOB_STATE_{record.state}",
        progress=pb.JobProgress(
            stage=p.stage, completed=p.completed, total=p.total, metrics=p.metrics, message=p.message
        ),
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
