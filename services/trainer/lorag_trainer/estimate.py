"""What a training will need, by arithmetic on the base's config.json; nothing is loaded.

The counts of weights are exact for decoders of the Llama family (Llama, Mistral, Qwen, Gemma and their mixtures of
experts); the memory of activations is an upper bound, because the longest example is counted in bytes.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorag_common.errors import LoragError, Reason
from lorag_trainer.datasets import DatasetInfo
from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.machine import Machine

GIB = 1 << 30
# Bytes a weight: 4 bits, and per block of 64 one 8-bit scale, whose own scale is one fp32 in 256 blocks.
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
INT8_BYTES = 1.0
# Rounded guesses, not measurements: a CUDA context with its libraries; Python with torch, transformers and TRL.
CUDA_CONTEXT, PROCESS_RAM = 1 * GIB, 2 * GIB
# What a caching allocator loses to fragments.
SLACK = 1.1
TEMPLATE_TOKENS = 64
KEPT_CHECKPOINTS = 3


@dataclass(frozen=True)
class Shape:
    """Weights of a decoder.

    Attributes:
        layer: (inputs, outputs, how many) of each linear layer of one block.
        layers: blocks.
        hidden: width.
        vocabulary: tokens.
        embeddings: weights of embedding and head together.
    """

    layer: tuple[tuple[int, int, int], ...]
    layers: int
    hidden: int
    vocabulary: int
    embeddings: int

    @property
    def linear(self) -> int:
        """Weights of all linear layers of all blocks; these are quantized and get adapters."""
        return self.layers * sum(a * b * n for a, b, n in self.layer)

    def adapter(self, r: int) -> int:
        """Weights of a LoRA of rank r on all linear layers."""
        return self.layers * sum(r * (a + b) * n for a, b, n in self.layer)

    @property
    def widths(self) -> int:
        """Sum of the outputs of one block's linear layers, for one token; experts not chosen hold none."""
        return sum(b for _, b, n in self.layer if n == 1) + 3 * max((b for _, b, n in self.layer if n > 1), default=0)


@dataclass(frozen=True)
class Estimate:
    """See EstimateTrainingResponse; bytes."""

    device: str
    vram_bytes: int
    ram_bytes: int
    disk_bytes: int
    steps: int
    fits: bool
    advice: tuple[str, ...]


def read_config(base: Path) -> dict[str, Any]:
    """config.json of a base model that may be trained on; its text part where there are several.

    Raises:
        LoragError: BASE_MODEL_UNREADABLE; BASE_MODEL_QUANTIZED when its weights are quantized already.
    """
    try:
        config = json.loads((base / "config.json").read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("not an object")
    except (OSError, ValueError) as error:
        message = f"config.json of the base model cannot be read: {error}"
        raise LoragError(Reason.BASE_MODEL_UNREADABLE, message, field="base_model") from error
    if config.get("quantization_config"):
        message = "The base model's weights are quantized already."
        raise LoragError(Reason.BASE_MODEL_QUANTIZED, message, field="base_model")
    return {**config, **config.get("text_config", {})}


def shape_of(config: dict[str, Any]) -> Shape:
    """Count the weights.

    Raises:
        LoragError: ARCHITECTURE_UNSUPPORTED when config.json does not have the keys of a decoder.
    """
    try:
        hidden, layers, heads = (config[k] for k in ("hidden_size", "num_hidden_layers", "num_attention_heads"))
        vocabulary, inner = config["vocab_size"], config["intermediate_size"]
    except KeyError as error:
        message = f"Cannot estimate this architecture ({config.get('model_type')}): config.json has no {error}."
        raise LoragError(Reason.ARCHITECTURE_UNSUPPORTED, message, field="base_model") from error
    head = config.get("head_dim") or hidden // heads
    kv = config.get("num_key_value_heads") or heads
    experts = config.get("num_experts") or config.get("num_local_experts") or 1
    inner = config.get("moe_intermediate_size") or inner
    attention = ((hidden, heads * head, 1), (hidden, kv * head, 1), (hidden, kv * head, 1), (heads * head, hidden, 1))
    mlp = ((hidden, inner, experts), (hidden, inner, experts), (inner, hidden, experts))
    tables = 1 if config.get("tie_word_embeddings") else 2
    return Shape(attention + mlp, layers, hidden, vocabulary, tables * hidden * vocabulary)


def estimate(
    config: dict[str, Any], dataset: DatasetInfo, settings: TrainingSettings, machine: Machine, disk_free: int
) -> Estimate:
    """What this training needs on this machine."""
    shape, device = shape_of(config), machine.device
    compute = 2 if device == "cuda" else 4
    stored = (NF4_BYTES if settings.qlora_4bit else INT8_BYTES) if settings.use_qlora else float(compute)
    weights = shape.linear * stored + shape.embeddings * compute
    # Weight, gradient and two moments of AdamW: in bf16 on a quantized base, else in fp32.
    adapter = shape.adapter(settings.r)
    number = 2 if settings.use_qlora else 4
    dequantized = max(a * b for a, b, _ in shape.layer) * compute if settings.use_qlora else 0
    working = weights + 4 * number * adapter + dequantized + _activations(shape, dataset, settings, device, compute)
    working *= SLACK

    gpus = max(1, len(machine.vram))
    vram = math.ceil(working / gpus + CUDA_CONTEXT) if device == "cuda" else 0
    # On CUDA the base passes through main memory one file at a time; files are rarely above 5 GB.
    file = min(2 * (shape.linear + shape.embeddings), 5 * GIB)
    ram = math.ceil(PROCESS_RAM + (file if device == "cuda" else working))
    disk = (KEPT_CHECKPOINTS * 3 + 1) * number * adapter + (64 << 20)
    learned = 1 - settings.heldout_count(dataset.example_count) / dataset.example_count
    steps = settings.steps(max(1, round(dataset.turn_count * learned)))

    advice = []
    if device == "cuda" and vram > min(machine.vram):
        advice += _memory_advice("GPU memory", vram, min(machine.vram), settings)
    if ram > machine.ram:
        advice += _memory_advice("main memory", ram, machine.ram, settings)
    if disk > disk_free:
        advice.append(f"Free disk space in the data folder: {_gib(disk)} needed, {_gib(disk_free)} free.")
    return Estimate(device, vram, ram, disk, steps, not advice, tuple(advice))


def _activations(shape: Shape, dataset: DatasetInfo, settings: TrainingSettings, device: str, compute: int) -> float:
    """Bytes kept between forward and backward pass of one micro-step, and the logits with their gradient in fp32."""
    tokens = settings.batch_size * min(settings.max_length, dataset.longest_bytes + TEMPLATE_TOKENS)
    block = tokens * (8 * shape.hidden + 2 * shape.widths) * compute
    wanted = settings.gradient_checkpointing
    checkpointing = device == "cuda" if wanted is None else wanted
    kept = shape.layers * tokens * shape.hidden * compute + block if checkpointing else shape.layers * block
    return kept + tokens * shape.vocabulary * (compute + 4 + 4)


def _memory_advice(what: str, need: int, free: int, settings: TrainingSettings) -> list[str]:
    advice = [f"{what}: {_gib(need)} needed, {_gib(free)} free. End other programs, or take a smaller base model."]
    if not settings.use_qlora or not settings.qlora_4bit:
        advice.append("Set use_qlora and qlora_4bit to true.")
    if settings.gradient_checkpointing is not True:
        advice.append("Set gradient_checkpointing to true.")
    if settings.batch_size > 1:
        factor = settings.batch_size * settings.gradient_accumulation
        advice.append(f"Set batch_size to 1 and gradient_accumulation to {factor}; the result is the same.")
    if settings.max_length > 512:
        advice.append("Lower max_length, or split long examples.")
    return advice


def _gib(n: int) -> str:
    return f"{n / GIB:.1f} GiB"
