"""The pipeline: train -> convert -> publish -> evaluate -> activate, as one durable job.

Each stage is one durable step: it starts the service's job under a request_id made from the pipeline's own id, so a
stage that is run again after kill -9 finds the job it had started, and waits for it. Synchronous calls, since a job's
body has a thread of its own.
"""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable
from typing import Any

import grpc

from lorag.converter.v1 import converter_pb2, converter_pb2_grpc
from lorag.jobs.v1 import jobs_pb2, jobs_pb2_grpc
from lorag.qa.v1 import qa_pb2, qa_pb2_grpc
from lorag.trainer.v1 import trainer_pb2, trainer_pb2_grpc
from lorag_common.channel import DEADLINE_SECONDS, MAX_MESSAGE_BYTES, metadata, open_blocking_channel
from lorag_common.errors import LoragError, Reason
from lorag_common.jobs import JobContext, Jobs
from lorag_common.log import get_logger
from lorag_common.rpc_errors import from_rpc

log = get_logger(__name__)
KIND = "pipeline"
POLL_SECONDS = 0.5
# A service that restarts is back within seconds; one that is down for longer needs a person.
PATIENCE_SECONDS = 180.0
ACTIVATE_SECONDS = 120.0
_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # The default backoff of two minutes would outlast the patience above.
    ("grpc.max_reconnect_backoff_ms", 2000),
]
_ENDED = {
    jobs_pb2.JOB_STATE_SUCCEEDED,
    jobs_pb2.JOB_STATE_FAILED,
    jobs_pb2.JOB_STATE_CANCELLED,
}


class Pipeline:
    """The body of the job kind `pipeline`.

    Args:
        jobs: the gateway's jobs, asked whether a pipeline was cancelled.
        addresses: service name -> host:port.
    """

    def __init__(self, jobs: Jobs, addresses: dict[str, str]) -> None:
        self._jobs = jobs
        self._channels = {n: open_blocking_channel(a, _OPTIONS) for n, a in addresses.items()}
        self._trainer: Any = trainer_pb2_grpc.TrainerServiceStub(self._channels["trainer"])
        self._converter: Any = converter_pb2_grpc.ConverterServiceStub(self._channels["converter"])
        self._qa: Any = qa_pb2_grpc.QaServiceStub(self._channels["qa"])
        self._job_stubs: dict[str, Any] = {
            n: jobs_pb2_grpc.JobServiceStub(self._channels[n]) for n in ("trainer", "converter", "qa")
        }
        jobs.register(KIND, self.run, queue=KIND)

    def close(self) -> None:
        """Close the channels; after the jobs have stopped."""
        for channel in self._channels.values():
            channel.close()

    def run(self, ctx: JobContext) -> dict[str, Any]:
        """Run all stages; returns the conversion's artifacts, and the last progress message names the release.

        Raises:
            LoragError: what a stage failed by; CANCELLED.
        """
        # A pipeline that was begun before these were there is resumed as it was meant then.
        spec = ctx.spec = {"release_id": "", "newest": False, "evaluate": False, "force": False, **ctx.spec}
        release, artifacts = spec["release_id"], []
        if not release:
            adapter = spec["adapter"]
            if spec["dataset_id"]:
                adapter = ctx.step("train", self._train, ctx)
            converted = ctx.step("convert", self._convert, ctx, adapter)
            release, artifacts = converted["release"], converted["artifacts"]
        ctx.step("publish", self._publish, ctx, release)
        if spec["evaluate"]:
            ctx.step("evaluate", self._evaluate, ctx, release)
        if spec["activate"]:
            ctx.step("activate", self._activate, ctx, release)
        ctx.report("done", 1, 1, release)
        return {"artifacts": artifacts}

    def _train(self, ctx: JobContext) -> str:
        """The new adapter's folder, below the data folder."""
        settings = {k: v for k, v in ctx.spec["settings"].items() if v is not None}
        request = trainer_pb2.StartTrainingRequest(
            base_model=ctx.spec["base_model"],
            dataset_id=ctx.spec["dataset_id"],
            settings=trainer_pb2.TrainingSettings(**settings),
            request_id=f"{ctx.job_id}-train",
        )
        job = self._stage(ctx, "train", "trainer", self._trainer.StartTraining, request)
        return posixpath.dirname(job.artifacts[0].uri)

    def _convert(self, ctx: JobContext, adapter: str) -> dict[str, Any]:
        """`release`, the new release's id, and `artifacts`."""
        source = converter_pb2.ConversionSource(base_model=ctx.spec["base_model"])
        if ctx.spec["base_only"]:
            source.base_only = True
        elif ctx.spec["newest"]:
            source.newest = True
        else:
            source.path = adapter
        request = converter_pb2.StartConversionRequest(
            source=source,
            quantization=ctx.spec["quantization"],
            model=ctx.spec["model"],
            request_id=f"{ctx.job_id}-convert",
        )
        job = self._stage(ctx, "convert", "converter", self._converter.StartConversion, request)
        artifacts = [{"uri": a.uri, "sha256": a.sha256, "size": a.size} for a in job.artifacts]
        return {"release": release_of(job), "artifacts": artifacts}

    def _publish(self, ctx: JobContext, release: str) -> None:
        request = converter_pb2.StartPublicationRequest(release_id=release, request_id=f"{ctx.job_id}-publish")
        self._stage(ctx, "publish", "converter", self._converter.StartPublication, request)

    def _evaluate(self, ctx: JobContext, release: str) -> None:
        """The gate: what it finds is kept with the release, and activation refuses one that it found worse."""
        request = qa_pb2.StartEvaluationRequest(release_id=release, request_id=f"{ctx.job_id}-evaluate")
        self._stage(ctx, "evaluate", "qa", self._qa.StartEvaluation, request)

    def _activate(self, ctx: JobContext, release: str) -> None:
        ctx.report("activate", 0, 1, release)
        request = qa_pb2.ActivateReleaseRequest(release_id=release, force=ctx.spec["force"])
        self._call(ctx, "qa", self._qa.ActivateRelease, request, ACTIVATE_SECONDS)
        ctx.report("activate", 1, 1, release)

    def _stage(
        self, ctx: JobContext, stage: str, service: str, start: Callable[..., Any], request: Any
    ) -> jobs_pb2.Job:
        """Start a service's job and wait for it; its progress becomes the pipeline's."""
        ctx.report(stage, 0, 0, "starting")
        job: jobs_pb2.Job = self._call(ctx, service, start, request).job
        shown = None
        while job.state not in _ENDED:
            if ctx.cancelled():
                self._give_up(ctx, service, job.id)
            if job.progress != shown:
                shown = job.progress
                _pass_on(ctx, stage, job.progress)
            time.sleep(POLL_SECONDS)
            job = self._call(ctx, service, self._job_stubs[service].GetJob, jobs_pb2.GetJobRequest(id=job.id)).job
        _pass_on(ctx, stage, job.progress)
        if job.state == jobs_pb2.JOB_STATE_SUCCEEDED:
            return job
        if job.state == jobs_pb2.JOB_STATE_CANCELLED:
            raise LoragError(Reason.CANCELLED, f"The pipeline's job {job.id} was cancelled.")
        error = job.error
        raise LoragError.from_dict(
            {"reason": error.reason, "message": f"{stage}: {error.message}", "remedy": error.remedy}
        )

    def _give_up(self, ctx: JobContext, service: str, job_id: str) -> None:
        """Leave a stage: its job is cancelled with the pipeline, but goes on when only the gateway stops."""
        if self._jobs.is_cancelled(ctx.job_id):
            try:
                self._job_stubs[service].CancelJob(
                    jobs_pb2.CancelJobRequest(id=job_id), timeout=DEADLINE_SECONDS, metadata=metadata()
                )
            except grpc.RpcError as error:
                log.warning("could not cancel the stage's job", job=job_id, error=str(from_rpc(error, service)))  # type: ignore[arg-type]
        raise LoragError(Reason.CANCELLED, "The pipeline was cancelled.")

    def _call(
        self, ctx: JobContext, service: str, method: Callable[..., Any], request: Any, timeout: float = DEADLINE_SECONDS
    ) -> Any:
        """One call that may be repeated; a service that does not answer is waited for."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return method(request, timeout=timeout, metadata=metadata())
            except grpc.RpcError as rpc_error:
                error = from_rpc(rpc_error, service)  # type: ignore[arg-type]
            if error.reason is not Reason.SERVICE_UNAVAILABLE or time.monotonic() > give_up_at:
                raise error
            if ctx.cancelled():
                raise LoragError(Reason.CANCELLED, "The pipeline was cancelled.")
            log.warning("waiting for a service", service=service)
            time.sleep(POLL_SECONDS)


def release_of(job: jobs_pb2.Job) -> str:
    """`<model>:v<N>`, from the folder of a conversion's artifacts, `releases/<model>/v<N>/`.

    Raises:
        LoragError: INTERNAL when the job left no release.json.
    """
    for artifact in job.artifacts:
        folder, name = posixpath.split(artifact.uri)
        if name == "release.json":
            parent, version = posixpath.split(folder)
            return f"{posixpath.basename(parent)}:{version}"
    raise LoragError(Reason.INTERNAL, f"The conversion {job.id} left no release.json.")


def _pass_on(ctx: JobContext, stage: str, progress: jobs_pb2.JobProgress) -> None:
    message = ": ".join(part for part in (progress.stage, progress.message) if part)
    # A measurement named like an argument of `report` would be taken for it.
    metrics = {k: v for k, v in progress.metrics.items() if k not in ("stage", "completed", "total", "message")}
    ctx.report(stage, progress.completed, progress.total, message, **metrics)
