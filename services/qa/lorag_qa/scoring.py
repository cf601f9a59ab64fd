"""How well two models answered the same questions, and whether the difference is more than chance."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lorag_qa.questions import TestQuestion, answers_it

RESAMPLES = 10_000
SEED = 0


@dataclass(frozen=True)
class Answered:
    """One answer as the gate keeps it; `sources` are (document id, page, text), `cited` the model's own marks."""

    text: str
    sources: tuple[tuple[str, int, str], ...]
    cited: tuple[int, ...]
    refused: bool
    supported: int
    sentences: int
    first_token_seconds: float
    total_seconds: float


@dataclass(frozen=True)
class Score:
    """Of one answer, each 0 to 1; the citation scores are None where the documents do not answer."""

    correctness: float
    precision: float | None
    recall: float | None

    @property
    def citations(self) -> float | None:
        """Harmonic mean of precision and recall."""
        if self.precision is None or self.recall is None:
            return None
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def score(question: TestQuestion, answered: Answered) -> Score:
    """Score one answer."""
    if not question.expected:
        return Score(float(answered.refused), None, None)
    right = [_leads_to(question, source) for source in answered.sources]
    cited = [right[n - 1] for n in answered.cited if n <= len(right)]
    precision = sum(cited) / len(cited) if cited else 0.0
    return Score(float(answers_it(answered.text, question.expected)), precision, float(any(cited)))


def _leads_to(question: TestQuestion, source: tuple[str, int, str]) -> bool:
    """Whether a source is where the answer stands: on the named page, else wherever an expected text is."""
    document, page, text = source
    if question.page and question.document_id:
        return (document, page) == (question.document_id, question.page)
    return document in (question.document_id or document, "") and answers_it(text, question.expected)


def quality(model: str, questions: Sequence[TestQuestion], answers: Sequence[Answered]) -> dict[str, Any]:
    """The fields of `Quality`: means over the questions."""
    scores = [score(q, a) for q, a in zip(questions, answers, strict=True)]
    totals = sorted(a.total_seconds for a in answers)
    return {
        "model": model,
        "correctness": _mean([s.correctness for s in scores]),
        "citation_precision": _mean([s.precision for s in scores if s.precision is not None]),
        "citation_recall": _mean([s.recall for s in scores if s.recall is not None]),
        "refusal": _mean([s.correctness for s, q in zip(scores, questions, strict=True) if not q.expected]),
        "supported": _mean([a.supported / a.sentences for a in answers if a.sentences]),
        "first_token_p50": round(statistics.median(a.first_token_seconds for a in answers), 4),
        "total_p50": round(statistics.median(totals), 4),
        "total_p95": round(totals[min(len(totals) - 1, int(0.95 * len(totals)))], 4),
    }


def differences(
    questions: Sequence[TestQuestion], candidate: Sequence[Answered], baseline: Sequence[Answered]
) -> list[dict[str, Any]]:
    """Candidate less baseline, by score, with the 95% interval of the paired bootstrap (percentile method)."""
    pairs = [(score(q, a), score(q, b)) for q, a, b in zip(questions, candidate, baseline, strict=True)]
    columns = {
        "correctness": [a.correctness - b.correctness for a, b in pairs],
        "citations": [
            a.citations - b.citations for a, b in pairs if a.citations is not None and b.citations is not None
        ],
    }
    return [{"score": name, **_interval(values)} for name, values in columns.items() if values]


def verdict(found: Sequence[dict[str, Any]]) -> str:
    """WORSE, BETTER or NO_DIFFERENCE by the intervals; NOT_COMPARED without any."""
    if not found:
        return "NOT_COMPARED"
    if any(d["high"] < 0 for d in found):
        return "WORSE"
    return "BETTER" if any(d["low"] > 0 for d in found) else "NO_DIFFERENCE"


def _interval(values: Sequence[float]) -> dict[str, float]:
    rng = random.Random(SEED)
    n = len(values)
    means = sorted(sum(rng.choices(values, k=n)) / n for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]
    return {"mean": round(sum(values) / n, 4), "low": round(low, 4), "high": round(high, 4)}


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0
