"""What a conversion needs, from configuration and tensor headers alone."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from math import prod
from pathlib import Path

from lorag_converter import native

# Bits a weight of llama.cpp's mixes at the shapes of Qwen2.5-32B.
BITS = {
    "F16": 16.0, "BF16": 16.0, "Q8_0": 8.5, "Q6_K": 6.57, "Q5_K_M": 5.69, "Q5_K_S": 5.53, "Q5_1": 6.02, "Q5_0": 5.53,
    "Q4_K_M": 4.85, "Q4_K_S": 4.59, "Q4_1": 5.04, "Q4_0": 4.55, "IQ4_NL": 4.55, "IQ4_XS": 4.32, "Q3_K_L": 4.21,
    "Q3_K_M": 3.89, "Q3_K_S": 3.51, "IQ3_M": 3.62, "IQ3_S": 3.52, "Q2_K": 3.01,
}  # fmt: skip
# Imports of torch, transformers and the mapping (about 350 MiB), plus slabs; measured at 32B shapes.
RAM_BYTES = 512 << 20
# Whole exports of K-quant mixes at 32B shapes, elements a second and core, by what quantizes.
K_QUANTS_PER_SECOND = {"avx512": 160e6, "avx2": 140e6, "scalar": 19e6, "ggml": 15e6}
FAST_PER_SECOND = 300e6


@dataclass(frozen=True)
class Estimate:
    """Bytes and seconds; `advice` says what to change when it does not fit."""

    ram_bytes: int
    disk_bytes: int
    publish_disk_bytes: int
    seconds: float
    fits: bool
    advice: tuple[str, ...]


def parameters(base: Path) -> int:
    """Weights in a base, from its safetensors headers."""
    total = 0
    for path in base.glob("*.safetensors"):
        with path.open("rb") as f:
            header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        total += sum(prod(t["shape"]) for name, t in header.items() if name != "__metadata__")
    return total


def estimate(base: Path, quantization: str, data: Path) -> Estimate:
    """Needs of a conversion on this machine."""
    count = parameters(base)
    size = int(count * BITS[quantization] / 8)
    speed = K_QUANTS_PER_SECOND[native.chosen()] if "_K" in quantization else FAST_PER_SECOND
    seconds = 10 + count / (speed * (os.cpu_count() or 1))
    free = shutil.disk_usage(data).free
    available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    advice = []
    if size > free:
        advice.append(f"Free {(size - free) >> 20} MiB in the data folder, or choose a smaller quantization type.")
    if available < RAM_BYTES:
        advice.append(f"End other programs: {RAM_BYTES >> 20} MiB of memory are needed.")
    # Ollama rewrites a GGUF while importing: the blob, its copy and the result are there together.
    return Estimate(RAM_BYTES, size, 3 * size, seconds, not advice, tuple(advice))
