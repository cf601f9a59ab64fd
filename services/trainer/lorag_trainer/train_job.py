"""The child process of a training: base + dataset -> adapter folder.

Everything a restart needs is in the job's folder: the settings, the checkpoints and, once chosen, the adapter's name.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from lorag_trainer.machine import this_machine

DEVICE = this_machine().device
if DEVICE == "cpu":
    # Before torch is imported, which reads these once: busy threads on few cores make a step many times slower.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch  # noqa: E402
from datasets import Dataset  # noqa: E402
from peft import LoraConfig  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)
from trl import SFTConfig, SFTTrainer  # noqa: E402

from lorag_common.child import ChildJob, JobInterrupted  # noqa: E402
from lorag_common.errors import LoragError, Reason  # noqa: E402
from lorag_common.resolve import resolve_base_model  # noqa: E402
from lorag_common.settings import ServiceSettings  # noqa: E402
from lorag_trainer.checkpoints import newest_complete  # noqa: E402
from lorag_trainer.datasets import DatasetStore  # noqa: E402
from lorag_trainer.estimate import read_config  # noqa: E402
from lorag_trainer.hyperparameters import TrainingSettings  # noqa: E402
from lorag_trainer.output import Measured, publish, published  # noqa: E402
from lorag_trainer.prepare import Prepared, prepare  # noqa: E402
from lorag_trainer.render import Renderer  # noqa: E402

HELDOUT_MEASURED = 100
"""At most this many held-out turns are measured at the end; more would only cost time."""


def main(job: ChildJob) -> dict[str, Any]:
    """Train, or go on training; see `lorag_common.child`."""
    if (done := published(job)) is not None:
        return done
    try:
        return _train(job)
    except RuntimeError as error:
        if "can't allocate memory" in str(error) or "out of memory" in str(error).lower():
            raise LoragError(Reason.OUT_OF_MEMORY, f"Out of memory on {DEVICE}: {error}") from error
        raise


def _train(job: ChildJob) -> dict[str, Any]:
    settings = TrainingSettings.parse(job.spec["settings"])
    dataset_id = job.spec["dataset_id"]
    set_seed(settings.seed)

    job.report("loading", 0, 0, f"looking for {job.spec['base_model']}")
    base = resolve_base_model(job.spec["base_model"], ServiceSettings(data=job.data), download=True)
    read_config(base)
    tokenizer = AutoTokenizer.from_pretrained(base)
    data = prepare(
        DatasetStore(job.data).examples(dataset_id),
        settings,
        Renderer(tokenizer),
        lambda done, total: job.report("preparing", done, total),
    )
    _leave_if_asked(job)

    job.report("loading", 0, 0, f"on {DEVICE}")
    model = _load(base, settings)
    _leave_if_asked(job)
    trainer = _trainer(job, model, tokenizer, data, settings)
    checkpoint = newest_complete(job.folder / "checkpoints")
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if trainer.state.global_step < trainer.state.max_steps:
        raise JobInterrupted

    job.report("measuring", 0, len(data.heldout), f"on {DEVICE}")
    heldout_loss = trainer.evaluate()["eval_loss"] if data.heldout else None
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    job.report("saving", 0, 0)
    measured = Measured(DEVICE, trainer.state.global_step, losses[0], losses[-1], heldout_loss, time.time())
    return publish(job, base, settings, trainer.model, tokenizer, data.heldout_messages, measured)


def _compute_type() -> torch.dtype:
    if DEVICE == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _load(base: Path, settings: TrainingSettings) -> Any:
    compute = _compute_type()
    quantization = None
    if settings.use_qlora and settings.qlora_4bit:
        quantization = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=compute,
        )
    elif settings.use_qlora:
        quantization = BitsAndBytesConfig(load_in_8bit=True)
    # With several GPUs the layers are spread over them, so that a base larger than one of them fits.
    spread = DEVICE == "cuda" and torch.cuda.device_count() > 1
    places: Any = "auto" if spread else {"": "cpu" if DEVICE == "cpu" else 0}
    model = AutoModelForCausalLM.from_pretrained(
        base, quantization_config=quantization, device_map=places, dtype=compute
    )
    # The cache is for generating; checkpointing would warn about it at every step.
    model.config.use_cache = False
    return model


def _trainer(job: ChildJob, model: Any, tokenizer: Any, data: Prepared, settings: TrainingSettings) -> Any:
    on_cpu = DEVICE == "cpu"
    compute = _compute_type()
    checkpointing = settings.gradient_checkpointing
    config = SFTConfig(
        output_dir=str(job.folder / "checkpoints"),
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        lr_scheduler_type=settings.scheduler,
        optim="adamw_torch",
        weight_decay=0.0,
        max_grad_norm=1.0,
        gradient_checkpointing=(not on_cpu) if checkpointing is None else checkpointing,
        bf16=compute is torch.bfloat16,
        fp16=compute is torch.float16,
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
        # The rows are tokenized, labelled and checked for length already; the trainer must not touch them.
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        packing=False,
        eval_strategy="no",
        save_strategy="steps",
        save_steps=settings.checkpoint_steps,
        save_total_limit=2,
        logging_steps=1,
        report_to=[],
        disable_tqdm=True,
        seed=settings.seed,
    )
    adapter = LoraConfig(
        r=settings.r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return SFTTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(data.train),
        eval_dataset=Dataset.from_list(data.heldout[:HELDOUT_MEASURED]) if data.heldout else None,
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=[_Reporter(job)],
    )


def _leave_if_asked(job: ChildJob) -> None:
    if job.stop_requested():
        raise JobInterrupted


class _Reporter(TrainerCallback):  # type: ignore[misc]
    """Reports every step, and stops after a checkpoint when the job was asked to."""

    def __init__(self, job: ChildJob) -> None:
        self._job = job
        self._began = time.monotonic()
        self._first = 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Note where this process begins: after a restart the speed counts from there."""
        self._began, self._first = time.monotonic(), state.global_step

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Ask for a checkpoint and the end of the loop."""
        if self._job.stop_requested() and state.global_step < state.max_steps:
            control.should_save = True
            control.should_training_stop = True
        return control

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """One progress line a step; the summary that ends a training carries no `loss` and is left out."""
        if not logs or "loss" not in logs:
            return
        seconds = max(time.monotonic() - self._began, 1e-9)
        here = max(1, state.global_step - self._first)
        self._job.report(
            "training",
            state.global_step,
            state.max_steps,
            f"on {DEVICE}",
            loss=logs["loss"],
            learning_rate=logs.get("learning_rate", 0.0),
            tokens_per_second=logs.get("num_tokens", 0.0) / seconds,
            eta_seconds=(state.max_steps - state.global_step) * seconds / here,
        )
