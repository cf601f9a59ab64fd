"""The training itself, on one process or on one rank of several: base + prepared dataset -> trained adapter.

Everything a restart needs is in the job's folder: the settings, the checkpoints, what was adjusted on the way and, once
chosen, the adapter's name.
"""

from __future__ import annotations

import errno
import gc
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoTokenizer, EarlyStoppingCallback, set_seed
from trl import SFTConfig, SFTTrainer

from lorag_common.child import ChildJob, JobInterrupted
from lorag_common.resolve import resolve_base_model
from lorag_common.settings import ServiceSettings
from lorag_trainer import metrics
from lorag_trainer.adjust import Adjustments
from lorag_trainer.callbacks import Reporter, Stopper
from lorag_trainer.checkpoints import newest_complete
from lorag_trainer.datasets import DatasetStore
from lorag_trainer.estimate import read_config
from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.model import compute_type, device, load_base, lora_config, require_modules
from lorag_trainer.output import Measured, publish
from lorag_trainer.packing import packed_rows, plan_packing
from lorag_trainer.prepare import Prepared, prepare
from lorag_trainer.probe import isolates, try_longest
from lorag_trainer.ranks import Ranks
from lorag_trainer.render import Renderer, Row

HELDOUT_MEASURED = 100
"""At most this many held-out sequences are measured at an evaluation; more would only cost time."""
OPTIMIZERS = {"adamw": "adamw_torch", "adamw_8bit": "adamw_bnb_8bit", "paged_adamw_8bit": "paged_adamw_8bit"}
CHECKPOINTS = "checkpoints"


def fit(job: ChildJob, ranks: Ranks) -> dict[str, Any]:
    """Train, or go on training, to the adapter's folder; every rank calls this, and the first one writes.

    Raises:
        JobInterrupted: the job was asked to stop, and has a checkpoint.
        LoragError: see `prepare`; INVALID_FIELD for layers that the base does not have.
    """
    asked = TrainingSettings.parse(job.spec["settings"])
    adjustments = Adjustments.read(job.folder)
    settings = adjustments.apply(asked)
    set_seed(settings.seed)

    job.report("loading", 0, 0, f"looking for {job.spec['base_model']}")
    base = resolve_base_model(job.spec["base_model"], ServiceSettings(data=job.data), download=True)
    read_config(base)
    tokenizer = AutoTokenizer.from_pretrained(base)
    data = prepare(
        DatasetStore(job.data).examples(job.spec["dataset_id"]),
        settings,
        Renderer(tokenizer),
        lambda done, total: job.report("preparing", done, total),
    )
    _leave_if_asked(job)

    job.report("loading", 0, 0, f"on {ranks.describe()}")
    model = load_base(base, settings, sharded=ranks.sharded)
    require_modules(model, settings)
    _leave_if_asked(job)

    trainer = _trainer(job, model, tokenizer, data, settings, adjustments, ranks)
    if settings.packing and not ranks.sharded and not _packing_holds(trainer, data):
        adjustments = adjustments.without_packing()
        adjustments.write(job.folder)
        settings = adjustments.apply(asked)
        trainer = _trainer(job, model, tokenizer, data, settings, adjustments, ranks)
    checkpoint = newest_complete(job.folder / CHECKPOINTS)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    stopped_early = any(isinstance(c, EarlyStoppingCallback) for c in trainer.callback_handler.callbacks)
    if trainer.state.global_step < trainer.state.max_steps and (job.stop_requested() or not stopped_early):
        raise JobInterrupted

    best = trainer.state.best_model_checkpoint
    log = trainer.state.log_history
    heldout_loss = trainer.state.best_metric if best else _last(log, "eval_loss")
    losses = [entry["loss"] for entry in log if "loss" in entry]
    notes = [*data.notes, *adjustments.notes, *_notes(trainer, settings)]
    measured = Measured(
        device(),
        ranks.world,
        trainer.state.global_step,
        losses[0],
        losses[-1],
        heldout_loss,
        _speed(job.folder),
        time.time(),
        notes,
    )
    if not trainer.is_world_process_zero():
        return {}
    job.report("saving", 0, 0)
    weights = Path(best) if best else newest_complete(job.folder / CHECKPOINTS)
    return publish(
        job,
        base,
        asked,
        trainer.model,
        tokenizer,
        data.heldout_examples,
        measured,
        weights if ranks.sharded else None,
    )


class Trainer(SFTTrainer):  # type: ignore[misc]
    """TRL's trainer; a checkpoint for which the disk has no room is left out and said, and training goes on."""

    def __init__(self, job: ChildJob, *args: Any, **kwargs: Any) -> None:
        self._job = job
        self._probed = False
        super().__init__(*args, **kwargs)

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Before the first step, the longest sequence of all is tried."""
        if not self._probed:
            self._probed = True
            self._job.report("probing", 0, 0, "one step of the longest examples")
            try_longest(self)
        return super().training_step(*args, **kwargs)

    def _load_from_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        with _types_kept(self.model):
            super()._load_from_checkpoint(*args, **kwargs)

    def _load_best_model(self) -> None:
        with _types_kept(self.model):
            super()._load_best_model()

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        try:
            super()._save_checkpoint(model, trial)
        except (OSError, RuntimeError) as error:
            # Of several ranks the others would wait for ever for the one whose disk is full.
            if not _disk_full(error) or self.args.world_size > 1:
                raise
            step = self.state.global_step
            shutil.rmtree(Path(self.args.output_dir) / f"checkpoint-{step}", ignore_errors=True)
            message = "the disk is full: this checkpoint was left out, the one before it is kept"
            self._job.report("training", step, self.state.max_steps, message)


@contextmanager
def _types_kept(model: Any) -> Iterator[None]:
    """The adapter keeps its precision when it is loaded: PEFT makes it 32 bits, and a resumed training would differ."""
    types = {name: p.dtype for name, p in model.named_parameters() if p.requires_grad}
    yield
    for name, parameter in model.named_parameters():
        if name in types:
            parameter.data = parameter.data.to(types[name])


def _trainer(
    job: ChildJob,
    model: Any,
    tokenizer: Any,
    data: Prepared,
    settings: TrainingSettings,
    adjustments: Adjustments,
    ranks: Ranks,
) -> Trainer:
    on_cpu = device() == "cpu"
    compute = compute_type()
    checkpointing = settings.gradient_checkpointing
    rows, batch, accumulation = _sequences(data.train, settings, ranks.world)
    evaluated = bool(data.heldout)
    config = SFTConfig(
        output_dir=str(job.folder / CHECKPOINTS),
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=batch,
        per_device_eval_batch_size=1,
        gradient_accumulation_steps=accumulation,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        lr_scheduler_type=settings.scheduler,
        optim=OPTIMIZERS[settings.optimizer or ("adamw" if on_cpu else "paged_adamw_8bit")],
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        neftune_noise_alpha=settings.neftune_alpha or None,
        gradient_checkpointing=(not on_cpu) if checkpointing is None else checkpointing,
        activation_offloading=adjustments.offload and not on_cpu,
        bf16=compute is torch.bfloat16,
        fp16=compute is torch.float16,
        use_cpu=on_cpu,
        # See `rank.py`: sharding on CPU is set up there, and must not be set back.
        accelerator_config={"use_configured_state": True} if ranks.sharded and on_cpu else None,
        dataloader_pin_memory=not on_cpu,
        # The rows are tokenized, labelled and checked for length already; the trainer must not touch them.
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        packing=False,
        padding_free=settings.packing,
        eval_strategy="steps" if evaluated else "no",
        eval_steps=settings.checkpoint_steps,
        save_strategy="steps",
        save_steps=settings.checkpoint_steps,
        save_total_limit=2,
        # Of sharded models the best checkpoint's file is published instead; see `output.publish`.
        load_best_model_at_end=evaluated and not ranks.sharded,
        metric_for_best_model="eval_loss" if evaluated else None,
        greater_is_better=False if evaluated else None,
        logging_steps=1,
        report_to=[],
        disable_tqdm=True,
        seed=settings.seed,
    )
    log = metrics.MetricsLog(job.folder / metrics.FILE)
    callbacks = [Reporter(job, log, ranks.describe(), adjustments.notes), Stopper(job)]
    if settings.early_stopping_patience and evaluated:
        callbacks.append(EarlyStoppingCallback(settings.early_stopping_patience))
    return Trainer(
        job,
        model=model,
        args=config,
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(data.heldout[:HELDOUT_MEASURED]) if evaluated else None,
        processing_class=tokenizer,
        peft_config=lora_config(settings) if not hasattr(model, "peft_config") else None,
        callbacks=callbacks,
    )


def _sequences(rows: list[Row], settings: TrainingSettings, processes: int) -> tuple[list[Any], int, int]:
    """What the trainer draws from, how many of it a micro-step takes, and micro-steps per optimizer step.

    With several processes each takes its share, so that an optimizer step sees as many examples as with one.
    """
    if settings.packing:
        plan = plan_packing([len(row["input_ids"]) for row in rows], settings, processes)
        return packed_rows(rows, plan), 1, plan.accumulation
    return list(rows), settings.batch_size, max(1, round(settings.gradient_accumulation / processes))


def _packing_holds(trainer: Trainer, data: Prepared) -> bool:
    return isolates(trainer.model, data.train, trainer.data_collator)


def _notes(trainer: Trainer, settings: TrainingSettings) -> list[str]:
    best, last = trainer.state.best_global_step, trainer.state.global_step
    notes = []
    if best and best < last:
        notes.append(f"the adapter is that of step {best}, where the held-out loss was lowest, not of the last, {last}")
    if settings.early_stopping_patience and last < trainer.state.max_steps:
        notes.append(f"stopped early, at step {last} of {trainer.state.max_steps}")
    return notes


def _speed(folder: Path) -> float:
    """Tokens a second of this process's last step; 0 when it took none."""
    rows = metrics.read_metrics(folder / metrics.FILE)
    return next((float(r["tokens_per_second"]) for r in reversed(rows) if "tokens_per_second" in r), 0.0)


def _last(log: list[dict[str, Any]], name: str) -> float | None:
    return next((float(entry[name]) for entry in reversed(log) if name in entry), None)


def _disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    # torch and safetensors write in C++ and Rust, and say it in words.
    text = str(error)
    return "No space left" in text or "os error 28" in text or "PytorchStreamWriter failed" in text


def _leave_if_asked(job: ChildJob) -> None:
    if job.stop_requested():
        gc.collect()
        raise JobInterrupted
