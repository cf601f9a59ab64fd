"""The one life of a job: DBOS workflow -> queue -> launcher -> child process.

DBOS's status is the state, the last line of `events.jsonl` is the progress, and there is no third table. kill -9 of the
child or of the service loses nothing: the workflow is resumed at its next launch, finished steps are not run again, and
the cut one starts from what it left on disk.
"""

from __future__ import annotations

import asyncio
import builtins
import json
import os
import threading
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID
from dbos import WorkflowStatus as Status

from lorag_common import tracing
from lorag_common.artifacts import Artifact, write_json
from lorag_common.child import CANCELLED, EVENTS, LOG, append_event, as_lorag_error
from lorag_common.errors import LoragError, Reason
from lorag_common.launcher import ChildStopped, LocalLauncher
from lorag_common.log import get_logger, request_id

log = get_logger(__name__)

FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
STATES = {
    "ENQUEUED": "PENDING",
    "DELAYED": "PENDING",
    "PENDING": "RUNNING",
    "SUCCESS": "SUCCEEDED",
    "ERROR": "FAILED",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "FAILED",
    "CANCELLED": "CANCELLED",
}
# Workflows are resumed only by the same application version; a job's steps are files and specs, which outlive releases.
APPLICATION_VERSION = "1"
WATCH_SECONDS = 0.2
# A queue costs 1.5 % of a core while nothing is in it; at a tenth of a second 3 %. Between two documents this long passes.
POLL_SECONDS = 0.25
MOST_EVENTS = 5000
MOST_LOG_BYTES = 1 << 20


@dataclass(frozen=True)
class Progress:
    """The last thing a job said of itself; `completed` and `total` in units of the stage."""

    stage: str = ""
    completed: float = 0.0
    total: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True)
class JobRecord:
    """A job as it is now. Times are seconds since the epoch, 0 when not yet."""

    id: str
    kind: str
    state: str
    spec: dict[str, Any]
    progress: Progress = Progress()
    artifacts: tuple[Artifact, ...] = ()
    error: dict[str, str] | None = None
    create_time: float = 0.0
    start_time: float = 0.0
    end_time: float = 0.0


class _Parked(BaseException):
    """Leaves a step without an outcome, so that the next launch of the service resumes it."""


class JobContext:
    """What a job's body may do. Everything with an effect goes through `child` or `step`, each a durable step."""

    def __init__(self, jobs: Jobs, job_id: str, spec: dict[str, Any]) -> None:
        self._jobs = jobs
        self.job_id = job_id
        self.spec = spec
        self.folder = jobs.folder(job_id)

    def child(self, module: str) -> dict[str, Any]:
        """Run a child module to its result; see `lorag_common.child`."""
        with tracing.step(f"child {module}"):
            return dict(DBOS.run_step({"name": module}, self._child, module))

    def step(self, name: str, function: Callable[..., Any], *args: Any) -> Any:
        """Run a function in this process; JSON-able arguments and result; at least once, so it must be idempotent."""
        with tracing.step(f"step {name}"):
            return DBOS.run_step({"name": name}, self._step, function, *args)

    def report(self, stage: str, completed: float, total: float = 0, message: str = "", **metrics: float) -> None:
        """Say how far the work is."""
        append_event(self.folder, stage, completed, total, message, metrics)

    def cancelled(self) -> bool:
        """Whether the job was cancelled or the service is stopping; a long in-process step asks now and then."""
        return self._jobs.stopping or self._jobs.is_cancelled(self.job_id)

    def _child(self, module: str) -> dict[str, Any]:
        try:
            return self._jobs.launcher.run(module, self.folder, self.cancelled)
        except ChildStopped:
            if self._jobs.stopping:
                raise _Parked from None
            raise LoragError(Reason.CANCELLED, "The job was cancelled.") from None

    def _step(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return function(*args)
        except LoragError:
            if self._jobs.stopping:
                raise _Parked from None
            raise


Body = Callable[[JobContext], dict[str, Any] | None]
"""A job's body. What it returns may hold `artifacts`: a list of `Artifact.as_dict()`."""


class Jobs:
    """The jobs of one service, kept in `state/<service>.sqlite`. One instance a process.

    Args:
        service: prefix of the ids.
        data: the data folder.
        workers: queue name -> jobs of it that may run at once; by default one queue "default" that runs one. Each is
            polled, so none is there that nobody uses.
    """

    def __init__(self, service: str, data: Path, workers: dict[str, int] | None = None) -> None:
        self.service = service
        self.data = data
        self.launcher = LocalLauncher(data)
        self.stopping = False
        self._workers = workers or {"default": 1}
        # The queue's own limit does not hold for recovered jobs, which DBOS puts on an internal queue; this does.
        self._slots = {queue: threading.BoundedSemaphore(n) for queue, n in self._workers.items()}
        self._kinds: dict[str, tuple[Callable[[str, str], str], str]] = {}
        self._cancelled: set[str] = set()
        self._active = 0
        self._idle = threading.Condition()
        (data / "state").mkdir(parents=True, exist_ok=True)
        config: DBOSConfig = {
            "name": f"lorag-{service}",
            "system_database_url": os.environ.get(
                "LORAG_STATE_URL", f"sqlite:///{data / 'state' / f'{service}.sqlite'}"
            ),
            "log_level": "ERROR",
            "application_version": APPLICATION_VERSION,
            "executor_id": service,
            "notification_listener_polling_interval_sec": 0.2,
        }
        DBOS(config=config)

    def folder(self, job_id: str) -> Path:
        """`jobs/<id>/`."""
        return self.data / "jobs" / job_id

    def register(self, kind: str, body: Body, queue: str = "default") -> None:
        """Name a kind of job and what it does. Before `launch`."""

        def workflow(job_id: str, spec_json: str) -> str:
            spec = json.loads(spec_json)
            request_id.set(spec.get("_request_id", ""))
            with tracing.step(f"job {kind}", spec.get("_trace"), job=job_id):
                return live(job_id, spec)

        def live(job_id: str, spec: dict[str, Any]) -> str:
            slot = self._slots[queue]
            while not slot.acquire(timeout=WATCH_SECONDS):
                if self.stopping or self.is_cancelled(job_id):
                    raise _Parked
            with self._idle:
                self._active += 1
            try:
                append_event(self.folder(job_id), "starting", 0, 0, "", {})
                result = body(JobContext(self, job_id, _public(spec))) or {}
                return json.dumps(result.get("artifacts", []))
            except Exception as error:
                log.warning(
                    "job failed", job=job_id, kind=kind, error=str(error), exc_info=not isinstance(error, LoragError)
                )
                raise as_lorag_error(error) from error
            finally:
                slot.release()
                with self._idle:
                    self._active -= 1
                    self._idle.notify_all()

        # Recovery may happen any number of times: a machine that is switched off every evening is no defect.
        self._kinds[kind] = (DBOS.workflow(name=kind, max_recovery_attempts=1_000_000)(workflow), queue)

    def launch(self) -> None:
        """Open the state and resume what was cut off."""
        DBOS.launch()
        for queue, n in self._workers.items():
            DBOS.register_queue(
                queue, worker_concurrency=n, polling_interval_sec=POLL_SECONDS, on_conflict="always_update"
            )

    def close(self, timeout: float = 35.0) -> None:
        """Stop children (30 s to checkpoint) and close the state; unfinished jobs resume at the next launch."""
        self.stopping = True
        with self._idle:
            self._idle.wait_for(lambda: self._active == 0, timeout)
        DBOS.destroy()

    def start(self, kind: str, spec: dict[str, Any], request_id: str = "") -> JobRecord:
        """Queue a job. With a `request_id` seen before, the same job comes back.

        Raises:
            LoragError: REQUEST_ID_REUSED when that request_id came with another body.
        """
        workflow, queue = self._kinds[kind]
        unique = uuid.uuid5(uuid.NAMESPACE_URL, f"lorag:{self.service}:{request_id}") if request_id else uuid.uuid4()
        job_id = f"{self.service}-{unique}"
        folder = self.folder(job_id)
        wanted = {"_kind": kind, "_request_id": _current_request(), "_trace": tracing.carrier(), **spec}
        if (folder / "spec.json").exists():
            known = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
            if _public(known) != _public(json.loads(json.dumps(spec))) or known["_kind"] != kind:
                raise LoragError(
                    Reason.REQUEST_ID_REUSED,
                    f"request_id '{request_id}' came before with another body.",
                    field="request_id",
                )
            wanted = known
        else:
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / "spec.json", wanted)
        with SetWorkflowID(job_id):
            DBOS.enqueue_workflow(queue, workflow, job_id, json.dumps(wanted))
        return self.get(job_id)

    def get(self, job_id: str) -> JobRecord:
        """One job as it is now.

        Raises:
            LoragError: JOB_NOT_FOUND.
        """
        found = DBOS.list_workflows(workflow_ids=[job_id], load_input=False)
        if not found or found[0].name not in self._kinds:
            raise LoragError(Reason.JOB_NOT_FOUND, f"The {self.service} has no job '{job_id}'.", field="id")
        return self._record(found[0])

    def list(self, kind: str = "", limit: int = 50, offset: int = 0) -> list[JobRecord]:
        """Jobs, newest first."""
        names = [kind] if kind else [*self._kinds]
        rows = DBOS.list_workflows(name=names, sort_desc=True, limit=limit, offset=offset, load_input=False)
        return [self._record(row) for row in rows]

    def unfinished(self) -> dict[tuple[str, str], int]:
        """How many jobs wait or run, by (kind, state); zeros too."""
        rows = DBOS.list_workflows(name=[*self._kinds], status=["ENQUEUED", "PENDING"], load_input=False)
        found = Counter((row.name, STATES[row.status]) for row in rows)
        return {(kind, state): found[kind, state] for kind in self._kinds for state in ("PENDING", "RUNNING")}

    def cancel(self, job_id: str) -> JobRecord:
        """Ask a job to stop; a job that has ended is returned unchanged.

        Raises:
            LoragError: JOB_NOT_FOUND.
        """
        record = self.get(job_id)
        if record.state not in FINAL:
            self._cancelled.add(job_id)
            (self.folder(job_id) / CANCELLED).touch()
            DBOS.cancel_workflow(job_id)
        return self.get(job_id)

    def is_cancelled(self, job_id: str) -> bool:
        """Whether `cancel` was called for this job in this process."""
        return job_id in self._cancelled

    async def watch(self, job_id: str) -> AsyncIterator[JobRecord]:
        """The whole job at once, then after every change (latest wins), until a final state.

        Raises:
            LoragError: JOB_NOT_FOUND.
        """
        last: JobRecord | None = None
        while True:
            record = await asyncio.to_thread(self.get, job_id)
            if record != last:
                yield record
                last = record
            if record.state in FINAL:
                return
            await asyncio.sleep(WATCH_SECONDS)

    def events(self, job_id: str, most: int) -> builtins.list[tuple[float, Progress]]:
        """What a job has said so far as (seconds since the epoch, progress), oldest first, thinned out evenly to `most`.

        Raises:
            LoragError: JOB_NOT_FOUND; INVALID_FIELD.
        """
        if not 2 <= most <= MOST_EVENTS:
            raise LoragError(Reason.INVALID_FIELD, f"max_events is from 2 to {MOST_EVENTS}.", field="max_events")
        self.get(job_id)
        try:
            lines = (self.folder(job_id) / EVENTS).read_bytes().splitlines()
        except FileNotFoundError:
            return []
        if len(lines) > most:
            lines = [lines[round(i * (len(lines) - 1) / (most - 1))] for i in range(most)]
        return [found for line in lines if (found := _event(line))]

    def log_tail(self, job_id: str, most: int) -> tuple[str, int]:
        """The last whole lines of a job's log, at most `most` bytes of them, and the size of the whole in bytes.

        Raises:
            LoragError: JOB_NOT_FOUND; INVALID_FIELD.
        """
        if most < 0:
            raise LoragError(Reason.INVALID_FIELD, "max_bytes is not negative.", field="max_bytes")
        self.get(job_id)
        path = self.folder(job_id) / LOG
        try:
            with path.open("rb") as f:
                size = path.stat().st_size
                start = max(0, size - min(most, MOST_LOG_BYTES))
                f.seek(start)
                text = f.read(size - start)
        except FileNotFoundError:
            return "", 0
        if start:
            text = text.partition(b"\n")[2]
        return text.decode("utf-8", "replace"), size

    def _record(self, row: Status) -> JobRecord:
        folder = self.folder(row.workflow_id)
        spec = json.loads((folder / "spec.json").read_text(encoding="utf-8")) if (folder / "spec.json").exists() else {}
        state = STATES[row.status]
        started, progress = _read_events(folder / EVENTS)
        artifacts = json.loads(row.output) if state == "SUCCEEDED" and row.output else []
        error = None
        if state == "FAILED":
            error = as_lorag_error(row.error or LoragError(Reason.JOB_FAILED, "The job failed too often.")).as_dict()
        return JobRecord(
            id=row.workflow_id,
            kind=row.name,
            state=state,
            spec=_public(spec),
            progress=progress,
            artifacts=tuple(Artifact(**a) for a in artifacts),
            error=error,
            create_time=(row.created_at or 0) / 1000,
            start_time=started,
            end_time=(row.updated_at or 0) / 1000 if state in FINAL else 0.0,
        )


def _public(spec: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in spec.items() if not k.startswith("_")}


def _current_request() -> str:
    return request_id.get()


def _read_events(path: Path) -> tuple[float, Progress]:
    """Time of the first event and the last whole one; a killed writer may have left half a line."""
    try:
        with path.open("rb") as f:
            first = json.loads(f.readline())
            f.seek(max(0, path.stat().st_size - 8192))
            tail = f.read().splitlines()
    except (FileNotFoundError, json.JSONDecodeError):
        return 0.0, Progress()
    for line in reversed(tail):
        if found := _event(line):
            return first["time"], found[1]
    return first["time"], Progress()


def _event(line: bytes) -> tuple[float, Progress] | None:
    """One line of the events file, None for half a line."""
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        return None
    keys = ("stage", "completed", "total", "metrics", "message")
    return event["time"], Progress(**{k: event[k] for k in keys})
