"""What is tried on the real model before a long training: does packing keep examples apart, and does a step fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from lorag_trainer.render import Row

PROBE_TOKENS = 64
# Logits of the same example alone and packed may differ by rounding; another example in sight moves them far more.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 5e-2, torch.float16: 1e-2}

Collate = Callable[[list[Any]], dict[str, Any]]


def isolates(model: Any, rows: list[Row], collate: Collate) -> bool:
    """Whether the model gives an example the same logits behind another one in its sequence as alone.

    Args:
        model: the base, not wrapped for training.
        rows: at least one row; the first two, or the first twice, are tried, `PROBE_TOKENS` tokens of each.
        collate: the trainer's collator, padding-free.
    """
    first, second = ({k: v[:PROBE_TOKENS] for k, v in row.items()} for row in (rows[0], rows[-1]))
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            alone = _logits(model, collate([second]))
            packed = _logits(model, collate([first, second]))[:, -alone.shape[1] :]
    finally:
        model.train(was_training)
    scale = alone.abs().max().clamp(min=1e-6)
    return bool((packed - alone).abs().max() / scale <= TOLERANCE[model.dtype])


def try_longest(trainer: Any) -> None:
    """One micro-step on the longest sequence, forward and backward, and one evaluation of the longest held-out one.

    An out-of-memory shows here, in the first minute, and not at some step in the night. Gradients and random numbers are
    as before when it returns; the optimizer takes no step.
    """
    with _untouched_randomness():
        model = trainer.model_wrapped
        model.train()
        longest = _longest(trainer.train_dataset, trainer.args.per_device_train_batch_size)
        inputs = trainer._prepare_inputs(trainer.data_collator(longest))
        with trainer.compute_loss_context_manager():
            loss = trainer.compute_loss(model, inputs)
        trainer.accelerator.backward(loss)
        model.zero_grad()
        if trainer.eval_dataset is not None:
            model.eval()
            longest = _longest(trainer.eval_dataset, trainer.args.per_device_eval_batch_size)
            trainer.prediction_step(model, trainer.data_collator(longest), prediction_loss_only=True)
            model.train()
    # Probing is no training: what it measured must not stand in the first log.
    for mode in trainer._metrics.values():
        mode.clear()
    trainer._total_train_tokens = 0


def _longest(dataset: Any, count: int) -> list[Any]:
    order = sorted(range(len(dataset)), key=lambda i: -len(dataset[i]["input_ids"]))
    return [dataset[i] for i in order[:count]]


def _logits(model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    on_device = {k: v.to(model.device) if isinstance(v, torch.Tensor) else v for k, v in inputs.items()}
    on_device.pop("labels", None)
    return model(**on_device, use_cache=False).logits.float()  # type: ignore[no-any-return]


@contextmanager
def _untouched_randomness() -> Iterator[None]:
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        yield
