"""What a training says of itself while it runs, and when it stops before its end."""

from __future__ import annotations

import resource
import time
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from lorag_common.child import ChildJob, JobInterrupted
from lorag_trainer.metrics import MetricsLog

KEPT = {
    "loss": "loss",
    "eval_loss": "eval_loss",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "mean_token_accuracy": "token_accuracy",
    "eval_mean_token_accuracy": "eval_token_accuracy",
}
"""What is kept of the trainer's log, and under which names."""


class Reporter(TrainerCallback):  # type: ignore[misc]
    """Reports every step to the job and to metrics.jsonl."""

    def __init__(self, job: ChildJob, metrics: MetricsLog, where: str, notes: tuple[str, ...]) -> None:
        self._job, self._metrics = job, metrics
        self._message = "; ".join([f"on {where}", *notes])
        self._began = time.monotonic()
        self._first = 0
        self._last: dict[str, float] = {}

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Note where this process begins: after a restart the speed counts from there."""
        self._began, self._first = time.monotonic(), state.global_step
        self._metrics.rewind(state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """One progress line a step; the summary that ends a training is left out."""
        if not logs or not ("loss" in logs or "eval_loss" in logs) or not state.is_world_process_zero:
            return
        values = {new: float(logs[old]) for old, new in KEPT.items() if old in logs}
        if "loss" in logs:
            seconds = max(time.monotonic() - self._began, 1e-9)
            here = max(1, state.global_step - self._first)
            values["tokens_per_second"] = logs.get("num_tokens", 0.0) / seconds
            values["memory_bytes"] = float(memory_used())
            self._last["eta_seconds"] = (state.max_steps - state.global_step) * seconds / here
        self._metrics.add(state.global_step, values)
        self._last |= values
        self._job.report("training", state.global_step, state.max_steps, self._message, **self._last)


class Stopper(TrainerCallback):  # type: ignore[misc]
    """Ends the loop behind a checkpoint when the job was asked to stop; at once when it was cancelled."""

    def __init__(self, job: ChildJob) -> None:
        self._job = job

    def on_substep_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """A cancelled job needs no checkpoint."""
        if self._job.cancelled():
            raise JobInterrupted

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Ask for a checkpoint and the end of the loop."""
        if self._job.cancelled():
            raise JobInterrupted
        if self._asked(args) and state.global_step < state.max_steps:
            control.should_save = True
            control.should_training_stop = True
        return control

    def _asked(self, args: TrainingArguments) -> bool:
        """What the first rank knows; ranks that stopped at different steps would wait for each other for ever."""
        asked = self._job.stop_requested()
        if args.world_size == 1:
            return asked
        flag = torch.tensor([asked], dtype=torch.int32, device=args.device)
        torch.distributed.broadcast(flag, 0)
        return bool(flag.item())


def memory_used() -> int:
    """Peak memory so far, in bytes: of this process's GPU, or of the process on CPU."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_reserved())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
