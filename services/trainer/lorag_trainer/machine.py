"""What this machine has. Asked without torch: the service stays small, and a child asks before it loads it."""

from __future__ import annotations

import importlib.metadata
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Machine:
    """Free memory, in bytes; `vram` per GPU, empty without one."""

    vram: tuple[int, ...]
    ram: int

    @property
    def device(self) -> str:
        """Where a training runs: cuda or cpu."""
        return "cuda" if self.vram else "cpu"


def this_machine() -> Machine:
    """What is free here and now."""
    return Machine(_free_vram(), psutil.virtual_memory().available)


def free_disk(folder: Path) -> int:
    """Free bytes on the disk of a folder that need not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return psutil.disk_usage(str(folder)).free


def _free_vram() -> tuple[int, ...]:
    if importlib.metadata.version("torch").endswith("+cpu"):
        return ()
    command = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(int(line) << 20 for line in done.stdout.split("\n") if line.strip().isdigit())
