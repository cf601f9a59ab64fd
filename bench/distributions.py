"""Weights of many kinds, to hold quantizers against each other: as trained models have them, and as they should not be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

TINY_BASE = Path(__file__).resolve().parents[1] / "demo" / "tiny_base"
Floats = npt.NDArray[np.float32]
F = np.float32


def _real(n: int, rng: np.random.Generator) -> Floats:
    """The demo's tiny base, tensor after tensor, over and over."""
    parts = []
    for path in sorted(TINY_BASE.glob("*.safetensors")):
        with safe_open(path, "pt") as f:
            parts += [f.get_tensor(name).float().numpy().reshape(-1) for name in f.keys()]  # noqa: SIM118
    found = np.concatenate(parts)
    return np.resize(np.roll(found, -int(rng.integers(found.size))), n)


def _any_bits(n: int, rng: np.random.Generator) -> Floats:
    values = rng.integers(0, 2**32, n, dtype=np.uint32).view(F)
    return np.where(np.isfinite(values), values, F(0))


def _normal(scale: float) -> Callable[[int, np.random.Generator], Floats]:
    return lambda n, rng: (rng.standard_normal(n) * scale).astype(F)


def _scales(n: int, rng: np.random.Generator) -> Floats:
    exponents = np.repeat(rng.integers(-12, 6, n // 16 + 1), 16)[:n]
    return (rng.standard_normal(n) * 10.0**exponents).astype(F)


# Name -> n values, float32 and finite.
DISTRIBUTIONS: dict[str, Callable[[int, np.random.Generator], Floats]] = {
    "gaussian": _normal(0.02),
    "gaussian-as-half": lambda n, rng: (rng.standard_normal(n) * 0.02).astype(np.float16).astype(F),
    "real": _real,
    "heavy-tailed": lambda n, rng: (rng.standard_t(1.5, n) * 0.02).astype(F),
    "outliers": lambda n, rng: (rng.standard_normal(n) * np.where(rng.random(n) < 0.002, 100, 0.01)).astype(F),
    "sparse": lambda n, rng: (rng.standard_normal(n) * (rng.random(n) < 0.05)).astype(F),
    "zero": lambda n, rng: np.zeros(n, F),
    "signed-zeros": lambda n, rng: np.where(rng.random(n) < 0.5, F(-0.0), F(0.0)),
    "constant": lambda n, rng: np.full(n, -0.37, F),
    "constant-positive": lambda n, rng: np.full(n, 0.37, F),
    "constant-by-block": lambda n, rng: np.repeat(rng.standard_normal(n // 32 + 1), 32)[:n].astype(F),
    "alternating": lambda n, rng: np.resize(np.array([1, -1], F), n),
    "integers": lambda n, rng: rng.integers(-8, 9, n).astype(F),
    "positive": lambda n, rng: (np.abs(rng.standard_normal(n)) + 5).astype(F),
    "negative": lambda n, rng: (-np.abs(rng.standard_normal(n)) - 5).astype(F),
    "offset": lambda n, rng: (1000 + rng.standard_normal(n) * 1e-3).astype(F),
    "scales": _scales,
    "denormal": _normal(1e-39),
    "tiny": _normal(1e-30),
    "around-nothing": _normal(1e-15),
    "squares-overflow": _normal(1e19),
    "huge": lambda n, rng: np.clip(rng.standard_normal(n) * 1e37, -3e38, 3e38).astype(F),
    "any-bits": _any_bits,
}


def make(name: str, n: int, seed: int = 0) -> Floats:
    """`n` values of a distribution, the same for the same seed."""
    return np.ascontiguousarray(DISTRIBUTIONS[name](n, np.random.default_rng(seed)), dtype=F)
