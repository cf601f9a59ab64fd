"""How much memory a training step takes at its peak, by arithmetic on the shape of the base.

Weights, adapter, gradients and optimizer are counted; activations follow from what PyTorch keeps of a decoder block for
its backward pass. The published measurements of fsdp_qlora (AnswerDotAI, benchmarks of March 2024, two 24 GiB GPUs)
check the formula: `tests/unit/test_trainer_memory.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lorag_trainer.shape import Linear, Shape

# NF4 (bitsandbytes): 4 bits a weight; a scale of 8 bits per 64 weights, and of 32 bits per 256 such scales. The scales
# are no parameters, and sharding leaves them whole on every GPU.
NF4_PACKED = 0.5
NF4_BLOCK, NF4_NESTED = 64, 256
# 8-bit optimizers keep one 32-bit scale per 256 numbers.
OPTIMIZER_BLOCK = 256
# TRL scores tokens against the vocabulary tile by tile.
TILE_TOKENS, TILE_VOCABULARY = 4096, 32768
BLOCKS_GATHERED = 2
"""Sharded blocks that are whole at once: the one at work, and the next, fetched meanwhile."""


@dataclass(frozen=True)
class StepPlan:
    """What decides the memory of a step, besides the base's shape.

    Attributes:
        tokens: of one micro-step on one GPU.
        longest: of one sequence in it.
        compute_bytes: a number's, in the precision of the base: 2 or 4.
        quantized: nf4, int8 or none.
        adapted: layers that get adapters.
        r: LoRA rank.
        dora: whether magnitudes are learned too.
        adapter_bytes: a number's of adapter and gradient.
        optimizer_bytes: both moments of one weight.
        shards: GPUs that the base is divided over; 1: not divided.
        checkpointing: only the inputs of blocks are kept, and a block is computed again.
        dropout: a copy of each adapter's input is kept.
        fused_head: the head's logits are made tile by tile, as TRL does; else all at once, in 32 bits.
        masked: an explicit mask of tokens x tokens is made, as packing does.
        offload: activations are kept in main memory.
    """

    tokens: int
    longest: int
    compute_bytes: int
    quantized: str
    adapted: tuple[Linear, ...]
    r: int
    dora: bool = False
    adapter_bytes: int = 2
    optimizer_bytes: float = 2.0
    shards: int = 1
    checkpointing: bool = True
    dropout: bool = False
    fused_head: bool = True
    masked: bool = False
    offload: bool = False

    @property
    def adapter_weights(self) -> int:
        """Numbers that are learned."""
        each = sum((self.r * (m.inputs + m.outputs)) * m.count for m in self.adapted)
        return each + (sum(m.outputs * m.count for m in self.adapted) if self.dora else 0)


def memory_parts(shape: Shape, plan: StepPlan) -> dict[str, int]:
    """Peak bytes of one step on one GPU (or one process on CPU), part by part."""
    c, shards = plan.compute_bytes, plan.shards
    embeddings = shape.embeddings * c
    rest = shape.other * c
    weights = (packed_bytes(shape, plan) + embeddings + rest) / shards + scale_bytes(shape, plan)
    adapter = plan.adapter_weights * plan.adapter_bytes / shards
    block = packed_bytes(shape, plan) / max(1, shape.layers)
    largest = max((m.inputs * m.outputs for m in shape.linear), default=0)
    working = 0.0 if plan.quantized == "none" else float(largest * c)
    if shards > 1:
        working += BLOCKS_GATHERED * block + embeddings
    activations = _activations(shape, plan)
    return {
        "weights": math.ceil(weights),
        "adapter": math.ceil(adapter),
        "gradients": math.ceil(adapter),
        "optimizer": math.ceil(plan.adapter_weights * plan.optimizer_bytes / shards),
        "activations": math.ceil(activations),
        "logits": math.ceil(_logits(shape, plan)),
        "working": math.ceil(working),
    }


def packed_bytes(shape: Shape, plan: StepPlan) -> float:
    """Of the linear layers' numbers as they are stored, without their scales."""
    each = {"nf4": NF4_PACKED, "int8": 1.0, "none": float(plan.compute_bytes)}[plan.quantized]
    return shape.linear_weights * each


def scale_bytes(shape: Shape, plan: StepPlan) -> float:
    """Of the quantized layers' scales."""
    if plan.quantized == "nf4":
        return shape.linear_weights * (1 / NF4_BLOCK + 4 / (NF4_BLOCK * NF4_NESTED))
    return float(sum(m.outputs * m.count * 4 for m in shape.linear)) if plan.quantized == "int8" else 0.0


def _activations(shape: Shape, plan: StepPlan) -> float:
    """Kept between forward and backward pass.

    Of a block: both norms' inputs in 32 bits, their outputs, the residuals; queries, keys and values before and behind
    the rotation; the attention's output; gate, activated gate, up and their product.
    """
    c, hidden = plan.compute_bytes, shape.hidden
    per_block = [m for m in shape.linear if m.count % max(1, shape.layers) == 0]
    wide = [m.outputs for m in per_block if m.outputs > hidden]
    inner = max((m.inputs for m in per_block if m.inputs > hidden), default=hidden)
    heads = [m.outputs for m in per_block if m.outputs <= hidden and m.inputs == hidden]
    token = hidden * (8 + 4 * c) + 2 * c * sum(heads) + 4 * c * inner
    if plan.dropout:
        token += c * sum(m.inputs for m in plan.adapted if m.count)
    block = plan.tokens * token + (plan.longest**2 * (1 + c) if plan.masked else 0)
    # Gradients on their way through the widest layers of one block.
    passing = 3 * c * plan.tokens * max([*wide, hidden])
    if not plan.checkpointing:
        return 0.0 + shape.layers * block + passing
    inputs = 0 if plan.offload else shape.layers * plan.tokens * hidden * c
    return 0.0 + inputs + block + passing


def _logits(shape: Shape, plan: StepPlan) -> float:
    c = plan.compute_bytes
    if not plan.fused_head:
        # In the base's precision, in 32 bits, shifted, and the gradient in 32 bits.
        return plan.tokens * shape.vocabulary * float(c + 4 + 4 + 4)
    tile = min(plan.tokens, TILE_TOKENS) * min(shape.vocabulary, TILE_VOCABULARY)
    return tile * float(c + 4 + 4) + plan.tokens * shape.hidden * float(c + 4)
