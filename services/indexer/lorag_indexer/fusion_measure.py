"""How much the vector leg is worth in an index: both legs and their mixes, measured with questions whose passages are known.

The weight with the best nDCG@10 is taken when it beats keywords alone by more than the noise of the measurement (two
standard errors of the paired differences); otherwise the vector leg is switched off. So a leg that hurts, or that nobody can
show to help, does not take part.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lorag_common.artifacts import write_json
from lorag_indexer.fusion import Hit, Leg, fuse
from lorag_indexer.probes import Probe

DEPTH = 10
CANDIDATES = 50
WEIGHTS = tuple(n / 20 for n in range(21))
# Standard errors that a gain must exceed.
SURE = 2.0
# The weight before anything was measured.
UNMEASURED = 0.3


@dataclass(frozen=True)
class Measurement:
    """nDCG@10 of the legs and their mixes.

    Attributes:
        vector_weight: what was found best, 0 to 1.
        keyword_ndcg: of the keyword leg alone.
        vector_ndcg: of the vector leg alone.
        hybrid_ndcg: of the mix with `vector_weight`.
        questions: how many.
        source: where they came from.
        curve: (weight, nDCG@10) of every weight that was tried.
        time: in seconds since the epoch.
        chunks: chunks in the index at that time.
    """

    vector_weight: float
    keyword_ndcg: float
    vector_ndcg: float
    hybrid_ndcg: float
    questions: int
    source: str
    curve: tuple[tuple[float, float], ...]
    time: float
    chunks: int

    @property
    def warning(self) -> str:
        """Said when the vector leg was switched off or turned down; empty otherwise."""
        numbers = (
            f"vectors {self.vector_ndcg:.3f}, keywords {self.keyword_ndcg:.3f}, nDCG@10 of {self.questions} questions"
        )
        if self.vector_weight == 0:
            return f"The embedder does not help here and its vectors are not used ({numbers})."
        if self.vector_weight < UNMEASURED:
            return (
                f"The embedder helps little here; its weight was turned down to {self.vector_weight:.2f} ({numbers})."
            )
        return ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> Measurement:
        """Inverse of `as_dict`."""
        return cls(**d | {"curve": tuple((float(w), float(n)) for w, n in d["curve"])})


def measure(
    probes: Sequence[Probe], legs: Callable[[str], tuple[Leg, Leg]], source: str, now: float, chunks: int
) -> Measurement:
    """Ask every question and judge every weight.

    Args:
        probes: at least one.
        legs: vector leg and keyword leg of a question.
        source: where the probes came from.
        now: in seconds since the epoch.
        chunks: chunks in the index.
    """
    scores: list[list[float]] = []
    for probe in probes:
        nearest, matching = (_without(leg, probe) for leg in legs(probe.question))
        scores.append([_gain(fuse(nearest, matching, weight, DEPTH), probe) for weight in WEIGHTS])
    means = [math.fsum(column) / len(probes) for column in zip(*scores, strict=True)]
    best = _best(scores, means)
    curve = tuple((weight, round(mean, 4)) for weight, mean in zip(WEIGHTS, means, strict=True))
    return Measurement(WEIGHTS[best], means[0], means[-1], means[best], len(probes), source, curve, now, chunks)


def load(folder: Path, table: str) -> Measurement | None:
    """What an index was measured to be; None when it was not."""
    try:
        return Measurement.from_dict(json.loads(_path(folder, table).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def save(folder: Path, table: str, measurement: Measurement) -> None:
    """Keep it beside the index."""
    write_json(_path(folder, table), measurement.as_dict())


def _path(folder: Path, table: str) -> Path:
    return folder / f"fusion-{table}.json"


def _without(leg: Leg, probe: Probe) -> Leg:
    return [(chunk, score) for chunk, score in leg if chunk.id not in probe.hidden]


def _gain(hits: Sequence[Hit], probe: Probe) -> float:
    """nDCG@10 with one right passage: 1 / log2(rank + 1) of the first that is right."""
    for rank, hit in enumerate(hits, start=1):
        if probe.right(hit.chunk):
            return 1 / math.log2(rank + 1)
    return 0.0


def _best(scores: list[list[float]], means: list[float]) -> int:
    """Index of the weight to use; of equal ones the lowest."""
    best = max(range(len(means)), key=lambda n: (round(means[n], 6), -n))
    differences = [row[best] - row[0] for row in scores]
    mean = means[best] - means[0]
    spread = math.sqrt(math.fsum((d - mean) ** 2 for d in differences) / max(1, len(differences) - 1))
    return best if mean > SURE * spread / math.sqrt(len(differences)) else 0
