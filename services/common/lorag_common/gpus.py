"""The GPUs of this machine, as NVIDIA's own tool tells them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

from lorag_common.log import get_logger

log = get_logger(__name__)
SECONDS = 5.0
_QUERY = ["--query-gpu=name,memory.total,memory.used", "--format=csv,noheader,nounits"]


@dataclass(frozen=True)
class Gpu:
    """One GPU; memory in bytes."""

    name: str
    memory_bytes: int
    memory_used_bytes: int


def gpus() -> list[Gpu]:
    """What nvidia-smi lists; nothing where there is no such tool or it fails, which is logged."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run([tool, *_QUERY], capture_output=True, text=True, check=True, timeout=SECONDS)
        return [_gpu(line) for line in done.stdout.splitlines() if line.strip()]
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        log.warning("nvidia-smi failed", error=str(error))
        return []


def _gpu(line: str) -> Gpu:
    name, total, used = (part.strip() for part in line.rsplit(",", 2))
    return Gpu(name, int(total) << 20, int(used) << 20)
