"""The native K-quant kernel against ggml, on one core, in one run.

    python -m bench.kquants [--elements 1048576] [--rounds 3] [--path avx512|avx2|scalar]

Prints JSON: for each type ggml's and the kernel's millions of elements a second and their ratio on Gaussian weights
(`q4_k_ratio`, `q6_k_ratio`, ...), the lowest ratio over all distributions and where it was, the fused path's speed (bf16
rows plus a LoRA delta, rounded to half, to blocks), and whether all bytes were equal. Times are CPU seconds of the thread,
the fastest of the rounds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from lorag_converter import vendor

vendor.activate()

import numpy as np  # noqa: E402
import torch  # noqa: E402

from bench.distributions import DISTRIBUTIONS, make  # noqa: E402
from lorag_converter import ggml, kquants, native  # noqa: E402

COLUMNS = 4096
KINDS = sorted(kquants.QUANTIZED)


def fastest(work: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """CPU seconds of the fastest round, and what it returned."""
    best, result = float("inf"), None
    for _ in range(rounds):
        started = time.thread_time()
        result = work()
        best = min(best, time.thread_time() - started)
    return best, result


def compare(kind: Any, path: str, rows: torch.Tensor, rounds: int) -> tuple[float, float, bool]:
    """CPU seconds of ggml and of the kernel on the same rows, and whether the bytes are equal."""
    values = rows.numpy()
    slow, wanted = fastest(lambda: ggml.quantize(int(kind), values), rounds)
    fast, made = fastest(lambda: kquants.quantize(path, kind, rows), rounds)
    return slow, fast, bool(np.array_equal(wanted, made.numpy()))


def fused(kind: Any, path: str, elements: int, rounds: int) -> float:
    """Millions of elements a second from bf16 and a delta to blocks."""
    rows = torch.from_numpy(make("gaussian", elements)).to(torch.bfloat16).view(-1, COLUMNS)
    delta = torch.from_numpy(make("gaussian", elements, 1)).view(-1, COLUMNS)
    seconds, _ = fastest(lambda: kquants.quantize(path, kind, rows, delta=delta, scale=0.5), rounds)
    return elements / seconds / 1e6


def main(argv: list[str]) -> int:
    """Run and print; 1 when a byte differs."""
    parser = argparse.ArgumentParser(prog="python -m bench.kquants")
    parser.add_argument("--elements", type=int, default=1 << 20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--path", choices=native.available(), default=native.chosen())
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    found: dict[str, Any] = {"bench": "kquants", "path": arguments.path, "elements": arguments.elements}
    lowest, equal = (float("inf"), ""), True
    for kind in KINDS:
        for name in DISTRIBUTIONS:
            rows = torch.from_numpy(make(name, arguments.elements)).view(-1, COLUMNS)
            slow, fast, same = compare(kind, arguments.path, rows, arguments.rounds)
            equal &= same
            lowest = min(lowest, (slow / fast, f"{kind.name} {name}"))
            if name == "gaussian":
                key, speed = kind.name.lower(), fused(kind, arguments.path, arguments.elements, arguments.rounds)
                found[f"{key}_ratio"] = round(slow / fast, 2)
                found[f"{key}_ggml_m_per_s"] = round(arguments.elements / slow / 1e6, 1)
                found[f"{key}_m_per_s"] = round(arguments.elements / fast / 1e6, 1)
                found[f"{key}_fused_m_per_s"] = round(speed, 1)
        print(f"{kind.name} done", file=sys.stderr, flush=True)
    found |= {"distributions": len(DISTRIBUTIONS), "lowest_ratio": round(lowest[0], 2), "lowest_at": lowest[1]}
    print(json.dumps(found | {"bytes_equal": equal}))
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
