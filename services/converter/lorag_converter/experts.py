"""Where PEFT keeps the LoRA of stacked experts, and how it merges them.

transformers stacks the experts of a layer into one parameter, `mlp.experts.gate_up_proj` and `.down_proj`; PEFT's
`target_parameters` trains one A and B for the whole stack. A checkpoint still holds expert by expert, so each of its
tensors takes its own slice: A is stacked along rows, B's columns interleave ranks and experts.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import torch

_NAME = re.compile(
    r"(?P<layer>.*)\.(?:mlp|block_sparse_moe)\.experts\.(?P<expert>\d+)\.(?P<part>gate_proj|up_proj|down_proj|w[123])\.weight$"
)


class Slice(NamedTuple):
    """One expert's part of a stack's LoRA: its module, the parameter's path (for alpha patterns), and which part.

    `half` is 0 or 1 for the gate's and the up-projection's half of `gate_up_proj`, None for `down_proj`.
    """

    module: str
    parameter: str
    expert: int
    half: int | None


def is_expert(name: str) -> bool:
    """Whether a checkpoint tensor is one expert's weight."""
    return _NAME.match(name) is not None


def slice_of(name: str, config: dict[str, Any]) -> Slice | None:
    """The slice that a checkpoint tensor takes of the adapter's `target_parameters`; None when it takes none."""
    targets = config.get("target_parameters")
    if not targets or not (match := _NAME.match(name)):
        return None
    down = match["part"] in ("down_proj", "w2")
    stack = f"{match['layer']}.mlp.experts"
    # With both parameters trained PEFT nests one wrapper in the other; gate_up_proj is the inner one.
    nested = all(any(t.endswith(end) for t in targets) for end in ("gate_up_proj", "down_proj"))
    module = f"{stack}.base_layer" if nested and not down else stack
    parameter = f"{stack}.{'down_proj' if down else 'gate_up_proj'}"
    return Slice(module, parameter, int(match["expert"]), None if down else int(match["part"] in ("up_proj", "w3")))


def delta(a: torch.Tensor, b: torch.Tensor, scale: float, part: Slice, experts: int) -> torch.Tensor:
    """An expert's change, float32, shape of its checkpoint tensor. `a` is (experts * r, in), `b` (out, r * experts)."""
    rank = a.shape[0] // experts
    change = b.reshape(b.shape[0], rank, experts)[:, :, part.expert] @ a.reshape(experts, rank, -1)[part.expert]
    change = change * scale
    if part.half is not None:
        change = change[part.half * (change.shape[0] // 2) :][: change.shape[0] // 2]
    return change


def router_module(name: str, config: dict[str, Any]) -> str | None:
    """The adapter's module of a trained router (`gate.weight` in `target_parameters`), or None."""
    module, _, what = name.rpartition(".")
    if what != "weight" or not module.endswith(".gate") or "gate.weight" not in (config.get("target_parameters") or []):
        return None
    return module.replace("block_sparse_moe", "mlp")
