"""The child side of a job: `python -m lorag_common.child <module> <job folder> <data folder>`.

The child dies with its service: standard input is a pipe whose other end the service holds, so the end of file means
that the service is gone, however it went. (PDEATHSIG would follow the spawning thread, not the process.) A lock file in
the job's folder keeps a second child of the same job waiting until the first is really gone.
"""

from __future__ import annotations

import errno
import fcntl
import importlib
import json
import math
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from lorag_common.artifacts import write_json
from lorag_common.errors import LoragError, Reason

EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 3, 4
EVENTS = "events.jsonl"
LOG = "log.txt"
LOCK_SECONDS = 60.0
CANCELLED = "cancelled"


class JobInterrupted(BaseException):
    """Raised by a child that was asked to stop and has checkpointed."""


class ChildJob:
    """What a child module's `main(job)` is given.

    Attributes:
        folder: `jobs/<id>/`; state for resuming belongs here.
        data: the data folder.
        spec: what was asked for.
        lock_fd: the job's lock, for a process that this one starts and that must be gone before another child begins.
    """

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder = folder
        self.data = data
        self.spec: dict[str, Any] = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
        self.lock_fd = -1
        self._stop = threading.Event()

    @property
    def id(self) -> str:
        """The job's id."""
        return self.folder.name

    def report(self, stage: str, completed: float, total: float = 0, message: str = "", **metrics: float) -> None:
        """Say how far the work is; the last report is what watchers see."""
        append_event(self.folder, stage, completed, total, message, metrics)

    def stop_requested(self) -> bool:
        """Whether SIGTERM came. Checkpoint, then raise `JobInterrupted`; 30 s remain."""
        return self._stop.is_set()

    def cancelled(self) -> bool:
        """Whether it is to stop because it was cancelled: there is nothing to save then, and 4 s remain."""
        return (self.folder / CANCELLED).exists()

    def request_stop(self) -> None:
        """Called by the signal handler."""
        self._stop.set()


def append_event(
    folder: Path, stage: str, completed: float, total: float, message: str, metrics: dict[str, float]
) -> None:
    """Add one line to a job's events.jsonl; a single write, so lines of two writers never mix."""
    finite = {k: float(v) for k, v in metrics.items() if math.isfinite(v)}
    event = {"time": time.time(), "stage": stage, "completed": completed, "total": total, "message": message}
    line = json.dumps(event | {"metrics": finite}, ensure_ascii=False) + "\n"
    with (folder / EVENTS).open("ab", buffering=0) as f:
        f.write(line.encode())


def result_path(folder: Path, module: str) -> Path:
    """Where a child leaves what its `main` returned."""
    return folder / f"result-{module}.json"


def error_path(folder: Path, module: str) -> Path:
    """Where a child leaves the error it ended by."""
    return folder / f"error-{module}.json"


def _die_with_parent() -> None:
    def watch() -> None:
        while os.read(0, 1):
            pass
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _take_lock(folder: Path) -> int:
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise LoragError(Reason.JOB_FAILED, "Another process of this job is still running.") from None
            time.sleep(0.1)


def as_lorag_error(error: BaseException) -> LoragError:
    """Name what a person can act on; everything else is INTERNAL."""
    if isinstance(error, LoragError):
        return error
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return LoragError(Reason.OUT_OF_MEMORY, f"Out of memory: {error}")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LoragError(Reason.DISK_FULL, f"No space left on the disk for '{error.filename}'.")
    return LoragError(Reason.INTERNAL, f"{type(error).__name__}: {error}")


def main(argv: list[str]) -> int:
    """Run one child module to its end; the exit status tells the launcher how it went."""
    _die_with_parent()
    module, folder, data = argv[0], Path(argv[1]), Path(argv[2])
    try:
        lock = _take_lock(folder)
        job = ChildJob(folder, data)
        job.lock_fd = lock
        signal.signal(signal.SIGTERM, lambda *_: job.request_stop())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        result = importlib.import_module(module).main(job)
        write_json(result_path(folder, module), result or {})
        os.close(lock)
        return EXIT_OK
    except JobInterrupted:
        return EXIT_INTERRUPTED
    except BaseException as error:
        traceback.print_exc()
        write_json(error_path(folder, module), as_lorag_error(error).as_dict())
        return EXIT_FAILED


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: libraries' non-daemon threads must not keep a finished job alive.
    os._exit(status)
