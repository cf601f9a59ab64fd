"""What a training will need before it starts: GPU memory, main memory, disk and time, and how the GPUs share the work.

Read from the base's config.json and the dataset's sizes; no weight is loaded or downloaded. Tokens are bounded by bytes,
so the memory of activations is an upper bound.
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
from lorag_trainer.memory import OPTIMIZER_BLOCK, StepPlan, memory_parts, packed_bytes, scale_bytes
from lorag_trainer.ranks import Ranks
from lorag_trainer.shape import Shape

GIB, MIB = 1 << 30, 1 << 20
# Measured: Python with torch, transformers, peft and TRL at the first step. Assumed: a CUDA context with its libraries.
PROCESS_RAM, CUDA_CONTEXT = 700 * MIB, 600 * MIB
# On CUDA the base passes through main memory one file at a time; files are rarely above 5 GB.
LARGEST_FILE = 5 * GIB
# Two are kept, the best one if it is neither, and one is being written.
CHECKPOINTS_AT_ONCE = 4
# The formula is right within ten percent; nearer than that to a full GPU, the base is divided if it can be.
ROOM = 0.9
TEMPLATE_TOKENS = 64
BYTES_PER_TOKEN = 3.0
"""Of Japanese and English text in current vocabularies, roughly; used for the mean length and the time only."""
# fsdp_qlora's benchmarks (March 2024): 34.4 B weights, two RTX 3090, 416 tokens/s. Scaled by weights and GPUs.
WEIGHT_TOKENS_PER_GPU_SECOND = 34.4e9 * 416 / 2
WEIGHT_TOKENS_PER_CPU_SECOND = 2.0e9


@dataclass(frozen=True)
class Estimate:
    """See EstimateTrainingResponse; bytes and seconds."""

    device: str
    strategy: str
    gpu_count: int
    vram_bytes: int
    ram_bytes: int
    disk_bytes: int
    parts: dict[str, int]
    adapter_parameters: int
    steps: int
    seconds: float
    fits: bool
    advice: tuple[str, ...]


def read_config(base: Path) -> dict[str, Any]:
    """config.json of a base model that may be trained on.

    Raises:
        LoragError: BASE_MODEL_UNREADABLE; BASE_MODEL_QUANTIZED when its weights are quantized already.
    """
    try:
        config: Any = json.loads((base / "config.json").read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("not an object")
    except (OSError, ValueError) as error:
        message = f"config.json of the base model cannot be read: {error}"
        raise LoragError(Reason.BASE_MODEL_UNREADABLE, message, field="base_model") from error
    if config.get("quantization_config"):
        message = "The base model's weights are quantized already."
        raise LoragError(Reason.BASE_MODEL_QUANTIZED, message, field="base_model")
    return config


def estimate(
    shape: Shape,
    dataset: DatasetInfo,
    settings: TrainingSettings,
    machine: Machine,
    disk_free: int,
    measured_speed: float = 0.0,
) -> Estimate:
    """What this training needs on this machine.

    Args:
        shape: of the base.
        dataset: sizes count here.
        settings: all count.
        machine: free memory.
        disk_free: bytes.
        measured_speed: tokens a second of an earlier training of this base here; 0 when there was none.
    """
    ranks = choose_ranks(shape, dataset, settings, machine)
    plan = step_plan(shape, dataset, settings, ranks)
    parts = _with_overhead(shape, plan, ranks)
    total = sum(parts.values())
    vram = total if ranks.device == "cuda" else 0
    file = min(2 * shape.weights, LARGEST_FILE)
    ram = total * ranks.world if ranks.device == "cpu" else ranks.world * (PROCESS_RAM + file)
    written = plan.adapter_weights * (plan.adapter_bytes + plan.optimizer_bytes)
    disk = math.ceil(CHECKPOINTS_AT_ONCE * written + plan.adapter_weights * plan.adapter_bytes) + 64 * MIB
    learned = 1 - settings.heldout_count(dataset.example_count) / dataset.example_count
    turns = max(1, round(dataset.turn_count * learned)) if settings.learn == "assistant" else dataset.example_count
    steps = settings.steps(turns)
    tokens = steps * settings.batch_size * settings.gradient_accumulation * _mean_length(dataset, settings)
    advice = _advice(shape, dataset, settings, machine, ranks, vram, ram)
    if disk > disk_free:
        advice.append(f"Free disk space in the data folder: {_gib(disk)} needed, {_gib(disk_free)} free.")
    return Estimate(
        device=ranks.device,
        strategy=ranks.strategy,
        gpu_count=ranks.world if ranks.device == "cuda" else 0,
        vram_bytes=vram,
        ram_bytes=ram,
        disk_bytes=disk,
        parts=parts,
        adapter_parameters=plan.adapter_weights,
        steps=steps,
        seconds=round(tokens / (measured_speed or _speed(shape, ranks)), 1),
        fits=not advice,
        advice=tuple(advice),
    )


def choose_ranks(shape: Shape, dataset: DatasetInfo, settings: TrainingSettings, machine: Machine) -> Ranks:
    """How the processors share the work: what was asked for, or the fastest way that fits.

    A copy of the base on each GPU (ddp) where one GPU holds it, one base sharded over all (fsdp) where not, and one GPU
    where there is only one, or where an optimizer step has fewer micro-steps than there are GPUs.
    """
    count = len(machine.vram) if machine.device == "cuda" else 2
    if settings.strategy != "auto":
        return Ranks(1 if settings.strategy == "single" else count, settings.strategy, machine.device)
    single = Ranks(1, "single", machine.device)
    if machine.device == "cpu" or count == 1:
        return single
    need = sum(_with_overhead(shape, step_plan(shape, dataset, settings, single), single).values())
    if need <= ROOM * min(machine.vram):
        return Ranks(count, "ddp", "cuda") if settings.gradient_accumulation >= count else single
    return single if need <= ROOM * max(machine.vram) else Ranks(count, "fsdp", "cuda")


def step_plan(shape: Shape, dataset: DatasetInfo, settings: TrainingSettings, ranks: Ranks) -> StepPlan:
    """The micro-step of this training that takes the most memory."""
    cuda = ranks.device == "cuda"
    longest = min(settings.max_length, dataset.longest_bytes + TEMPLATE_TOKENS)
    per_step = settings.batch_size * settings.gradient_accumulation
    tokens = longest * settings.batch_size
    if settings.packing:
        wanted = math.ceil(_mean_length(dataset, settings) * per_step)
        tokens = max(longest, min(wanted, settings.max_length * settings.batch_size))
    checkpointing = settings.gradient_checkpointing
    number = 2 if settings.use_qlora else 4
    eight_bit = (settings.optimizer or ("paged_adamw_8bit" if cuda else "adamw")) != "adamw"
    quantized = ("nf4" if settings.qlora_4bit else "int8") if settings.use_qlora else "none"
    return StepPlan(
        tokens=tokens,
        longest=tokens if settings.packing else longest,
        compute_bytes=2 if cuda else 4,
        quantized=quantized,
        adapted=tuple(shape.adapted(settings.modules)),
        r=settings.r,
        dora=settings.use_dora,
        adapter_bytes=number,
        optimizer_bytes=2 * (1 + 4 / OPTIMIZER_BLOCK) if eight_bit else 2.0 * number,
        shards=ranks.world if ranks.sharded else 1,
        checkpointing=cuda if checkpointing is None else checkpointing,
        dropout=settings.lora_dropout > 0,
        masked=settings.packing,
    )


def _with_overhead(shape: Shape, plan: StepPlan, ranks: Ranks) -> dict[str, int]:
    """Peak of one process: the parts of a step, and what stands beside them."""
    parts = memory_parts(shape, plan)
    if ranks.device == "cpu":
        return parts | {"other": PROCESS_RAM}
    # Each process reads the whole quantized base before it gives away its part.
    whole = packed_bytes(shape, plan) + scale_bytes(shape, plan) + (shape.embeddings + shape.other) * plan.compute_bytes
    loading = max(0, math.ceil(whole - sum(parts.values())))
    return parts | {"other": CUDA_CONTEXT + loading}


def _mean_length(dataset: DatasetInfo, settings: TrainingSettings) -> float:
    text = dataset.text_bytes or dataset.longest_bytes * dataset.example_count
    return min(settings.max_length, text / dataset.turn_count / BYTES_PER_TOKEN + TEMPLATE_TOKENS)


def _speed(shape: Shape, ranks: Ranks) -> float:
    """Tokens a second, roughly."""
    each = WEIGHT_TOKENS_PER_GPU_SECOND if ranks.device == "cuda" else WEIGHT_TOKENS_PER_CPU_SECOND
    return each * ranks.world / shape.weights


def _advice(
    shape: Shape,
    dataset: DatasetInfo,
    settings: TrainingSettings,
    machine: Machine,
    ranks: Ranks,
    vram: int,
    ram: int,
) -> list[str]:
    advice: list[str] = []
    if ranks.device == "cuda" and vram > (free := min(machine.vram)):
        advice += [f"GPU memory: {_gib(vram)} needed on each of {ranks.world}, {_gib(free)} free.", *_ways(settings)]
        smaller = settings.model_copy(update={"max_length": max(8, settings.max_length // 2), "batch_size": 1})
        need = sum(_with_overhead(shape, step_plan(shape, dataset, smaller, ranks), ranks).values())
        if need <= free:
            advice.append(f"It fits with max_length {smaller.max_length} and batch_size 1: {_gib(need)}.")
        elif not ranks.sharded and len(machine.vram) > 1:
            advice.append('Set strategy to "fsdp": the base is divided over the GPUs.')
        else:
            advice.append("Take a smaller base model, or add a GPU.")
    if ram > machine.ram:
        advice += [f"Main memory: {_gib(ram)} needed, {_gib(machine.ram)} free. End other programs."]
        advice += _ways(settings) if ranks.device == "cpu" else []
    return advice


def _ways(settings: TrainingSettings) -> list[str]:
    ways = []
    if not settings.use_qlora or not settings.qlora_4bit:
        ways.append("Set use_qlora and qlora_4bit to true.")
    if settings.gradient_checkpointing is False:
        ways.append("Set gradient_checkpointing to true.")
    if settings.batch_size > 1:
        factor = settings.batch_size * settings.gradient_accumulation
        ways.append(f"Set batch_size to 1 and gradient_accumulation to {factor}; the result is the same.")
    if settings.max_length > 512:
        ways.append("Lower max_length, or split long examples.")
    return ways


def _gib(n: int) -> str:
    return f"{n / GIB:.1f} GiB"
