"""A service of the tests' own: jobs that count in a child process, one process per life of the service.

    python job_host.py DATA ACTION...     actions: start=<request id>, wait, sleep=<s>, cancel, kill-child, die, close
Prints one JSON line per action.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from lorag_common.child import ChildJob, JobInterrupted
from lorag_common.errors import LoragError, Reason
from lorag_common.jobs import Jobs


def main(job: ChildJob) -> dict[str, Any]:
    """The child: counts to `limit`, remembering each number on disk before it goes on."""
    counter = job.folder / "counter"
    n = int(counter.read_text()) if counter.exists() else 0
    while n < job.spec["limit"]:
        if job.spec.get("always_killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        n += 1
        counter.write_text(str(n))
        job.report("counting", n, job.spec["limit"], pid=os.getpid())
        if n == job.spec.get("fail_at"):
            raise LoragError(Reason.WEIGHT_INVALID, "The tenth is broken.")
        time.sleep(0.05)
        if job.stop_requested():
            raise JobInterrupted
    return {"artifacts": []}


def host(data: Path, actions: list[str]) -> None:
    """The service: does one action after the other."""
    jobs = Jobs("trainer", data, {"training": 1})
    jobs.register("training", lambda ctx: ctx.child("job_host"), queue="training")
    jobs.launch()
    ids: list[str] = []
    for action in actions:
        name, _, value = action.partition("=")
        if name == "start":
            request, _, spec = value.partition(":")
            try:
                ids.append(jobs.start("training", json.loads(spec or '{"limit": 60}'), request).id)
            except LoragError as error:
                print(json.dumps(error.as_dict()))
        elif name == "until":  # a count has been reached by the latest job
            while jobs.get(ids[-1]).progress.completed < int(value):
                time.sleep(0.02)
        elif name == "cancel":
            jobs.cancel(ids[-1])
        elif name == "kill-child":
            os.kill(int((jobs.folder(ids[-1]) / "pid").read_text()), signal.SIGKILL)
        elif name == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif name == "close":
            jobs.close()
            print(json.dumps({"closed": True}), flush=True)
            return
        elif name == "wait":
            for job_id in dict.fromkeys(ids):
                asyncio.run(_final(jobs, job_id))


async def _final(jobs: Jobs, job_id: str) -> None:
    async for record in jobs.watch(job_id):
        last = record
    print(
        json.dumps({"id": last.id, "state": last.state, "error": last.error, "count": last.progress.completed}),
        flush=True,
    )


if __name__ == "__main__":
    host(Path(sys.argv[1]), sys.argv[2:])
