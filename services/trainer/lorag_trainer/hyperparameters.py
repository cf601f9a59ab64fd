"""The knobs of a fine-tuning, checked before anything is loaded. Names, units and defaults are the contract's."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lorag_common.errors import LoragError, Reason

Scheduler = Literal["cosine", "linear", "constant", "cosine_with_restarts", "polynomial", "inverse_sqrt"]


class TrainingSettings(BaseModel):
    """Settings of one training."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    use_qlora: bool = Field(default=True, description="Quantize the base and train LoRA on it; false: plain LoRA.")
    qlora_4bit: bool = Field(default=True, description="4-bit NF4 with double quantization; false: 8-bit.")
    r: int = Field(default=16, ge=1, le=1024, description="LoRA rank.")
    lora_alpha: int = Field(default=32, ge=1, le=65536, description="LoRA scaling numerator.")
    lora_dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout within the LoRA path.")
    use_rslora: bool = Field(default=False, description="Scale by lora_alpha / sqrt(r), not lora_alpha / r.")
    use_dora: bool = Field(default=False, description="Learn magnitude and direction apart (DoRA).")
    neftune_alpha: float = Field(default=0.0, ge=0, le=100, description="Noise on the embeddings; 0: none.")
    target_modules: str = Field(default="", description="Layers with adapters, by commas; empty: all linear ones.")

    epochs: float = Field(default=3.0, gt=0, le=10_000, description="Passes over the dataset; unused with max_steps.")
    max_steps: int = Field(default=0, ge=0, description="Optimizer steps; 0: by epochs.")
    batch_size: int = Field(default=1, ge=1, le=4096, description="Examples per device and micro-step.")
    gradient_accumulation: int = Field(default=8, ge=1, le=4096, description="Micro-steps per optimizer step.")
    learning_rate: float = Field(default=2e-4, gt=0, le=1, description="Peak learning rate.")
    warmup_steps: int = Field(default=5, ge=0, description="Steps of linear warm-up.")
    scheduler: Scheduler = Field(default="cosine", description="Learning rate after the warm-up.")
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] | None = Field(
        default=None, description="None: paged_adamw_8bit on CUDA, adamw on CPU."
    )
    weight_decay: float = Field(default=0.0, ge=0, le=1, description="Decay per step, times the learning rate.")
    max_grad_norm: float = Field(default=1.0, gt=0, le=1000, description="Gradients are scaled down to this norm.")

    max_length: int = Field(default=2048, ge=8, le=1 << 20, description="Longest example, in tokens.")
    too_long: Literal["refuse", "skip", "truncate"] = Field(default="refuse", description="What a longer one meets.")
    skip_refused: bool = Field(default=False, description="Train although lines of the dataset were refused.")
    learn: Literal["assistant", "completion", "all"] = Field(
        default="assistant", description="Every answer, the last answer of an example, or every token."
    )
    packing: bool = Field(default=True, description="Several examples a sequence, each attending to itself alone.")
    heldout_fraction: float = Field(default=0.05, ge=0, le=0.5, description="Share of the examples held out.")
    early_stopping_patience: int = Field(
        default=0, ge=0, le=1000, description="Evaluations without a better one before training stops; 0: never."
    )
    checkpoint_steps: int = Field(default=50, ge=1, description="Optimizer steps between checkpoints, evaluated each.")
    gradient_checkpointing: bool | None = Field(default=None, description="None: true on CUDA, false on CPU.")
    strategy: Literal["auto", "single", "ddp", "fsdp"] = Field(default="auto", description="How GPUs share the work.")
    seed: int = Field(default=0, ge=0, lt=1 << 31, description="Of data order and initial adapter weights.")

    @model_validator(mode="after")
    def _fits_together(self) -> TrainingSettings:
        if self.early_stopping_patience and not self.heldout_fraction:
            raise ValueError("early_stopping_patience needs held-out examples: set heldout_fraction above 0")
        return self

    @classmethod
    def parse(cls, values: dict[str, Any]) -> TrainingSettings:
        """Check values.

        Raises:
            LoragError: INVALID_FIELD naming the first field at fault, as `settings.<name>`.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(["settings", *map(str, first["loc"])])
            given = f" = {first['input']!r}" if first["loc"] else ""
            message = f"{name}{given}: {first['msg'].removeprefix('Value error, ')}."
            raise LoragError(Reason.INVALID_FIELD, message, field=name) from error

    def heldout_count(self, examples: int) -> int:
        """How many of the examples are held out; at least one always remains to learn from."""
        return min(round(examples * self.heldout_fraction), examples - 1)

    @property
    def modules(self) -> str | list[str]:
        """PEFT's `target_modules`."""
        return [m.strip() for m in self.target_modules.split(",") if m.strip()] or "all-linear"

    def steps(self, turns: int) -> int:
        """Optimizer steps of a training on this many turns, those held out not among them."""
        if self.max_steps:
            return self.max_steps
        per_epoch = math.ceil(math.ceil(turns / self.batch_size) / self.gradient_accumulation)
        return max(1, math.ceil(self.epochs * per_epoch))
