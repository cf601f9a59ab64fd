"""Several examples in one sequence, each attending to itself alone.

How many optimizer steps a training takes, and how many examples each of them sees, stays what `batch_size` and
`gradient_accumulation` say: the sequences are only as long as the examples of one step, and as many of them make a step
as hold that many examples on average. The positions restart with each example, from which transformers makes a mask
that keeps them apart; whether a model really keeps them apart is tried before training (`probe.py`).
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.render import Row


@dataclass(frozen=True)
class PackingPlan:
    """Which examples share a sequence.

    Attributes:
        length: tokens that a sequence may have.
        packs: indices of the examples of each sequence.
        accumulation: sequences per optimizer step and process.
    """

    length: int
    packs: list[list[int]]
    accumulation: int


def plan_packing(lengths: Sequence[int], settings: TrainingSettings, processes: int = 1) -> PackingPlan:
    """Lay examples of these lengths, in tokens and at least one, into sequences."""
    per_step = settings.batch_size * settings.gradient_accumulation
    wanted = math.ceil(sum(lengths) / len(lengths) * per_step)
    length = max(*lengths, min(wanted, settings.max_length * settings.batch_size), 0)
    packs = best_fit(lengths, length)
    return PackingPlan(length, packs, max(1, round(per_step * len(packs) / len(lengths) / processes)))


def best_fit(lengths: Sequence[int], length: int) -> list[list[int]]:
    """Best-fit decreasing: the longest first, each into the fullest sequence that still holds it.

    Returns:
        For each sequence the indices into `lengths`, ascending; sequences in the order of their first example.
    """
    packs: list[list[int]] = []
    # (room, pack) of every sequence that is not full, ascending.
    open_packs: list[tuple[int, int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        at = bisect.bisect_left(open_packs, (lengths[i], 0))
        room, pack = open_packs.pop(at) if at < len(open_packs) else (length, len(packs))
        if pack == len(packs):
            packs.append([])
        packs[pack].append(i)
        if room > lengths[i]:
            bisect.insort(open_packs, (room - lengths[i], pack))
    return sorted((sorted(pack) for pack in packs), key=lambda pack: pack[0])


def packed_rows(rows: Sequence[Row], plan: PackingPlan) -> list[dict[str, Any]]:
    """The sequences: `input_ids` and `labels` of shape [tokens], `seq_lengths` of their examples, TRL's form."""
    return [
        {
            "input_ids": [token for i in pack for token in rows[i]["input_ids"]],
            "labels": [label for i in pack for label in rows[i]["labels"]],
            "seq_lengths": [len(rows[i]["input_ids"]) for i in pack],
        }
        for pack in plan.packs
    ]
