"""The base model as it is trained on, and the adapter that is put onto it. Imports torch: only children do this."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from lorag_common.errors import LoragError, Reason
from lorag_trainer.hyperparameters import TrainingSettings


def device() -> str:
    """`cuda` or `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def compute_type() -> torch.dtype:
    """What the base computes in: fp32 on CPU, else bf16 where the GPU has it and fp16 where not."""
    if device() == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def load_base(base: Path, settings: TrainingSettings, *, sharded: bool = False) -> Any:
    """The base, quantized as it is read, tensor by tensor.

    Args:
        base: its folder.
        settings: use_qlora and qlora_4bit count here.
        sharded: the trainer will shard it over processes: quantized weights are then stored in the type of the others,
            because a shard is flat memory of one type.
    """
    compute = compute_type()
    quantization = None
    if settings.use_qlora and settings.qlora_4bit:
        quantization = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=compute,
            bnb_4bit_quant_storage=compute if sharded else torch.uint8,
        )
    elif settings.use_qlora:
        quantization = BitsAndBytesConfig(load_in_8bit=True)
    place = int(os.environ.get("LOCAL_RANK", "0")) if device() == "cuda" else "cpu"
    model = AutoModelForCausalLM.from_pretrained(
        base, quantization_config=quantization, device_map={"": place}, dtype=compute
    )
    for module in model.modules():
        # On processors with AVX512-BF16 bitsandbytes repacks weights at the first evaluation, and the packed ones have no
        # backward pass: training would break behind it.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    # The cache is for generating; checkpointing would warn about it at every step.
    model.config.use_cache = False
    return model


def lora_config(settings: TrainingSettings) -> LoraConfig:
    """The adapter's configuration."""
    return LoraConfig(
        r=settings.r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        use_rslora=settings.use_rslora,
        use_dora=settings.use_dora,
        target_modules=settings.modules,
        task_type="CAUSAL_LM",
    )


def require_modules(model: Any, settings: TrainingSettings) -> None:
    """Check that the base has the layers that are to get adapters.

    Raises:
        LoragError: INVALID_FIELD naming those that it has.
    """
    if isinstance(settings.modules, str):
        return
    has = {name.rpartition(".")[2] for name, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    if unknown := [name for name in settings.modules if name not in has]:
        message = f"The base model has no linear layer '{unknown[0]}'; it has {', '.join(sorted(has))}."
        raise LoragError(Reason.INVALID_FIELD, message, field="settings.target_modules")
