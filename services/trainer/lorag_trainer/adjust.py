"""What a training changes of its settings when memory runs out, rung by rung; each starts from the last checkpoint.

The rungs, downwards: the same again in a new process, which empties the GPU's cache; the micro-batch halved and the
accumulation doubled, until a micro-batch is one example; gradient checkpointing; activations kept in main memory. The
optimizer step sees the same examples on every rung. They are kept in the job's folder, `adjust.json`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lorag_common.artifacts import write_json
from lorag_trainer.hyperparameters import TrainingSettings

FILE = "adjust.json"


@dataclass(frozen=True)
class Adjustments:
    """Where a training stands on the ladder.

    Attributes:
        restarts: times that memory ran out.
        batch_size: examples a micro-step; 0: as asked for.
        gradient_accumulation: micro-steps a step; 0: as asked for.
        checkpointing: recompute activations although it was not asked for.
        offload: keep activations in main memory.
        packing: False when the base was found to attend across examples.
        notes: what was changed and why, for a person.
    """

    restarts: int = 0
    batch_size: int = 0
    gradient_accumulation: int = 0
    checkpointing: bool = False
    offload: bool = False
    packing: bool = True
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Adjustments:
        """Those of a job; none when it has none."""
        path = folder / FILE
        if not path.exists():
            return cls()
        found = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**found, "notes": tuple(found["notes"])})

    def write(self, folder: Path) -> None:
        """Keep them with the job."""
        write_json(folder / FILE, asdict(self))

    def apply(self, settings: TrainingSettings) -> TrainingSettings:
        """The settings that this attempt trains with."""
        changes = {
            "batch_size": self.batch_size or settings.batch_size,
            "gradient_accumulation": self.gradient_accumulation or settings.gradient_accumulation,
            "gradient_checkpointing": True if self.checkpointing else settings.gradient_checkpointing,
            "packing": settings.packing and self.packing,
        }
        return settings.model_copy(update=changes)

    def descend(self, settings: TrainingSettings, why: str) -> Adjustments | None:
        """One rung further down; None when there is none."""
        now = self.apply(settings)
        if not self.restarts:
            return self._with("going on in a new process, with the memory's caches empty", why)
        if now.batch_size > 1:
            batch = (now.batch_size + 1) // 2
            accumulation = -(-now.batch_size * now.gradient_accumulation // batch)
            change = f"batch_size {now.batch_size} -> {batch}, gradient_accumulation -> {accumulation}"
            return replace(self, batch_size=batch, gradient_accumulation=accumulation)._with(change, why)
        if not self.checkpointing and settings.gradient_checkpointing is not True:
            return replace(self, checkpointing=True)._with("gradient_checkpointing -> true", why)
        if not self.offload:
            return replace(self, offload=True)._with("activations are kept in main memory", why)
        return None

    def without_packing(self) -> Adjustments:
        """Packing turned off, because the base attends across examples."""
        note = "packing -> false: this base model attends from one example of a sequence to another"
        return replace(self, packing=False, notes=(*self.notes, note))

    def _with(self, change: str, why: str) -> Adjustments:
        note = f"{why.rstrip('.')}: {change}"
        return replace(self, restarts=self.restarts + 1, notes=(*self.notes, note))


def descend_on_disk(folder: str, settings: dict[str, object], attempt: int, why: str) -> bool:
    """Step down for the `attempt`-th time that memory ran out, from 1. Safe to repeat; False when no rung is left."""
    adjustments = Adjustments.read(Path(folder))
    if adjustments.restarts >= attempt:
        return True
    lower = adjustments.descend(TrainingSettings.parse(dict(settings)), why)
    if lower is None:
        return False
    lower.write(Path(folder))
    return True
