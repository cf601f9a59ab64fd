"""Which quantization types fit the GPUs, at a context length and a number of requests at once; the largest wins."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lorag_converter.estimate import BITS

# KL divergence from F16 in nats, published for an 8B Llama (llama.cpp's quantize README and the studies after it).
EXPECTED_KL = {"F16": 0.0, "BF16": 0.0, "Q8_0": 0.0014, "Q6_K": 0.0055, "Q5_K_M": 0.011, "Q4_K_M": 0.031}
RECOMMENDED = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "IQ4_XS", "Q3_K_M", "Q2_K")
# CUDA context and allocator per GPU; with the compute buffers below about what llama.cpp reports beyond weights and KV.
CONTEXT_BYTES = 600 << 20
MICRO_BATCH = 512


def gpus_here() -> list[int]:
    """Memory of each NVIDIA GPU of this machine, in bytes; empty where there is none."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout
        return [int(line) << 20 for line in found.split()]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


@dataclass(frozen=True)
class Fit:
    """One type: bytes of weights, of the KV cache, of everything together, and whether the GPUs hold it."""

    quantization: str
    weight_bytes: int
    kv_bytes: int
    total_bytes: int
    fits: bool
    expected_kl: float | None


def kv_bytes_per_token(config: dict[str, Any]) -> int:
    """Bytes of the FP16 KV cache for one token: 2 (K, V) x layers x KV heads x head size x 2 bytes."""
    config = config | (config.get("text_config") or {})
    heads = int(config["num_attention_heads"])
    head = int(config.get("head_dim") or config["hidden_size"] // heads)
    return 2 * int(config["num_hidden_layers"]) * int(config.get("num_key_value_heads") or heads) * head * 2


def plan(parameters: int, config: dict[str, Any], gpus: Sequence[int], *, context: int, parallel: int) -> list[Fit]:
    """Every type with its needs, largest first.

    Args:
        parameters: weights of the model.
        config: its config.json.
        gpus: bytes of memory of each GPU; layers are split over them, so each may waste up to one layer.
        context: tokens per request.
        parallel: requests at once, each with a KV cache of its own.
    """
    text = config | (config.get("text_config") or {})
    layers = int(text["num_hidden_layers"])
    kv = kv_bytes_per_token(config) * context * parallel
    widest = 2 * int(text.get("intermediate_size") or 0) + 4 * int(text["hidden_size"])
    buffers = len(gpus) * (CONTEXT_BYTES + MICRO_BATCH * widest * 4) + MICRO_BATCH * int(text["vocab_size"]) * 4
    # What no formula sees: fragmentation, graphs, a desktop.
    capacity = 0.98 * sum(gpus)
    rows = []
    for name in sorted(EXPECTED_KL.keys() | BITS.keys(), key=lambda n: -BITS[n]):
        weights = int(parameters * BITS[name] / 8)
        uneven = (len(gpus) - 1) * (weights + kv) // layers
        total = weights + kv + buffers + uneven
        rows.append(Fit(name, weights, kv, total, total <= capacity, EXPECTED_KL.get(name)))
    return rows


def largest(rows: Sequence[Fit]) -> str:
    """The largest type that fits; empty when none does. Of types alike in size the one with the smaller loss."""
    return next((r.quantization for r in rows if r.fits and r.quantization in RECOMMENDED), "")
