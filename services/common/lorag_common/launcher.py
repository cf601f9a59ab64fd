"""The service side of a child process: start it, wait for it, stop it. A seam: a cluster can take its place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lorag_common.child import CANCELLED, EXIT_OK, LOG, error_path, result_path
from lorag_common.errors import LoragError, Reason

# A job that goes on later checkpoints; a cancelled one has nothing to save.
GRACE_SECONDS, CANCEL_SECONDS = 30.0, 4.0
RESTARTS = 3
POLL_SECONDS = 0.2


class ChildStopped(Exception):
    """The child ended because it was asked to, before it had a result."""


class LocalLauncher:
    """Runs child modules as processes of this machine."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def run(self, module: str, folder: Path, should_stop: Callable[[], bool]) -> dict[str, Any]:
        """Run `module` on the job in `folder` until it has a result; start it again, up to three times, when killed.

        Args:
            module: has `main(job: ChildJob) -> dict`.
            folder: `jobs/<id>/`.
            should_stop: asked every 0.2 s; when true the child gets SIGTERM, 30 s to checkpoint (a cancelled one 4 s),
                then SIGKILL.

        Raises:
            ChildStopped: it ended because of `should_stop`.
            LoragError: what the child failed by; OUT_OF_MEMORY when it was killed again and again.
        """
        finished, failed = result_path(folder, module), error_path(folder, module)
        failed.unlink(missing_ok=True)
        for _ in range(1 + RESTARTS):
            if finished.exists():
                result: dict[str, Any] = json.loads(finished.read_text(encoding="utf-8"))
                return result
            status = self._once(module, folder, should_stop)
            if status == EXIT_OK:
                continue
            if should_stop():
                raise ChildStopped(module)
            if failed.exists():
                raise LoragError.from_dict(json.loads(failed.read_text(encoding="utf-8")))
            if status >= 0:
                raise LoragError(Reason.JOB_FAILED, f"The job's process ended with status {status}.")
        if finished.exists():
            return dict(json.loads(finished.read_text(encoding="utf-8")))
        name = signal.Signals(-status).name
        reason = Reason.OUT_OF_MEMORY if status == -signal.SIGKILL else Reason.JOB_FAILED
        raise LoragError(
            reason, f"The job's process was ended by {name} {1 + RESTARTS} times, perhaps for lack of memory."
        )

    def _once(self, module: str, folder: Path, should_stop: Callable[[], bool]) -> int:
        with (folder / LOG).open("ab") as log:
            # -u: what a killed child printed must not be lost with it.
            process = subprocess.Popen(
                [sys.executable, "-u", "-m", "lorag_common.child", module, str(folder), str(self.data)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (folder / "pid").write_text(f"{process.pid}\n")
        try:
            while True:
                try:
                    return process.wait(POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    if should_stop():
                        return self._stop(process, CANCEL_SECONDS if (folder / CANCELLED).exists() else GRACE_SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if process.stdin:
                process.stdin.close()
            (folder / "pid").unlink(missing_ok=True)

    @staticmethod
    def _stop(process: subprocess.Popen[bytes], grace: float) -> int:
        process.terminate()
        try:
            return process.wait(grace)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait()
