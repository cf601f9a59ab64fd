"""A question-answering set in JSQuAD's (SQuAD's) format as a retrieval task: each question asks for its own paragraph."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

DEPTH = 10


@dataclass(frozen=True)
class Task:
    """Paragraphs, and questions with the index of the paragraph they were asked about: some to tune with, others to score."""

    paragraphs: list[str]
    tuning: list[tuple[str, int]]
    scored: list[tuple[str, int]]


def load(path: Path, tuning: int = 500, limit: int = 0) -> Task:
    """Read a file; `limit` scores only that many questions, 0 means all that are not for tuning."""
    paragraphs: list[str] = []
    questions: list[tuple[str, int]] = []
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            questions += [(qa["question"], len(paragraphs)) for qa in paragraph["qas"]]
            paragraphs.append(paragraph["context"])
    random.Random(0).shuffle(questions)
    scored = questions[tuning:]
    return Task(paragraphs, questions[:tuning], scored[:limit] if limit else scored)


def ndcg(questions: Sequence[tuple[str, int]], search: Callable[[str], list[int]]) -> float:
    """nDCG@10 of a search that returns paragraph numbers, best first."""
    gains = []
    for question, wanted in questions:
        found = search(question)[:DEPTH]
        gains.append(1 / math.log2(found.index(wanted) + 2) if wanted in found else 0.0)
    return sum(gains) / len(gains)


def percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """Median and 95th percentile in milliseconds."""
    ordered = sorted(seconds)
    return 1000 * ordered[len(ordered) // 2], 1000 * ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
