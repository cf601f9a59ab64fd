"""Who has the GPU: `state/gpu.lock`, held by a training for as long as its process lives.

The trainer asks the model server to unload its models, holds the lock while it trains, and loads the models again when
it is done. Whoever would load a model asks `holder` first.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = Path("state") / "gpu.lock"


@contextmanager
def gpu_held(data: Path, job_id: str) -> Iterator[None]:
    """Hold the GPU for a job; waits while another process holds it. kill -9 lets go of it."""
    path = data / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        f.truncate(0)
        f.write(json.dumps({"job": job_id}))
        f.flush()
        try:
            yield
        finally:
            f.truncate(0)


def gpu_holder(data: Path) -> str | None:
    """The id of the training job that holds the GPU, or None when it is free."""
    try:
        fd = os.open(data / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with os.fdopen(fd) as f:
        try:
            fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                return str(json.loads(f.read() or "{}").get("job", "training"))
            except ValueError:
                return "training"
    return None
