"""The checkpoints of one training, `jobs/<id>/checkpoints/checkpoint-<step>/`."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

# Written last by the trainer library, so a checkpoint that has it whole is whole.
STATE = "trainer_state.json"
PARTS = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt")
_NAME = re.compile(r"checkpoint-(\d+)")


def newest_complete(folder: Path) -> Path | None:
    """The checkpoint to go on from, or None; what a killed process left half-written is removed."""
    found: dict[int, Path] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        if not (match := _NAME.fullmatch(path.name)):
            continue
        if _complete(path, int(match[1])):
            found[int(match[1])] = path
        else:
            shutil.rmtree(path)
    return found[max(found)] if found else None


def _complete(path: Path, step: int) -> bool:
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return state.get("global_step") == step and all((path / part).is_file() for part in PARTS)
