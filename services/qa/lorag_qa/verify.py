"""Is what a sentence says in the passages? Decided by comparing words, numbers, negation and nearness; no second model.

Six measurements of a sentence against the passages go into one logistic score. Its weights and its threshold were fitted
by `python -m bench.citations --fit` on one half of JSQuAD's articles and are scored on the other half.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lorag_common.prompts import language_of
from lorag_qa.terms import folded, is_number, is_single_kanji, located_terms, runs, terms, terms_of

WEIGHTS = {"focus": 1.71, "near": 2.24, "phrase": 2.38, "numbers": -4.21, "negation": -6.3, "elsewhere": -2.05}
BIAS = -3.3
THRESHOLD = 0.68
# A sentence that is this near to a passage and still not supported says something else than the passage.
CONTRADICTS = 0.55
TITLE_WEIGHT, SINGLE_KANJI_WEIGHT, LEAST_WEIGHT = 0.3, 0.4, 0.2
FOCUS_REACH, NEAR_REACH = 0.7, 1.6
PLACES = 3
_SENTENCE = re.compile(r"[^。！？!?.\n]+(?:\.(?=\S)[^。！？!?.\n]*)*[。！？!?.]*")
_NEGATION = re.compile(
    r"ない|なかっ|なく|ません|ませぬ|ず(?=[、。に]|$)|ぬ(?=[。、]|$)|無い|\b(?:not|no|never|without|nor|neither|cannot)\b|n't\b"
)
_REFUSAL = re.compile(
    r"(?:資料|文書|記載|情報|本文|出典)[^。]{0,30}(?:ない|なかった|ません|なし|不明)|(?:分かり|わかり|答えられ)ません|"
    r"(?:documents?|passages?|sources?|context|text)\b[^.]{0,60}(?:\b(?:not|no|nothing)|n't)\b|"
    r"(?:\bnot|n't) (?:know|say|state|mention|contain|provide|specif|find|found)|no (?:information|answer)",
    re.IGNORECASE,
)


class Status(StrEnum):
    """What the check of a sentence found."""

    SUPPORTED = "SUPPORTED"
    UNSUPPORTED = "UNSUPPORTED"
    CONTRADICTED = "CONTRADICTED"
    NO_CLAIM = "NO_CLAIM"


@dataclass(frozen=True)
class Place:
    """A sentence of a passage: the passage's index, the sentence's first character in it, and one past its last."""

    passage: int
    start: int
    end: int


@dataclass(frozen=True)
class Check:
    """The outcome: `support` 0 to 1, the places that support it (or, unsupported, the nearest one), and why not."""

    status: Status
    support: float
    places: tuple[Place, ...]
    reason: str = ""


@dataclass(frozen=True)
class _Line:
    """A sentence of a passage, with its terms, those of the sentence before it, and its passage's title's."""

    place: Place
    text: str
    terms: frozenset[str]
    around: frozenset[str]


class Evidence:
    """Passages, cut into sentences, that sentences are checked against.

    Args:
        passages: their texts.
        titles: a document name for each; what stands in it need not be said again in every sentence.
    """

    def __init__(self, passages: Sequence[str], titles: Sequence[str] = ()) -> None:
        self._lines: list[_Line] = []
        for n, passage in enumerate(passages):
            title = frozenset(terms(folded(titles[n]))) if n < len(titles) else frozenset()
            before: frozenset[str] = frozenset()
            for match in _SENTENCE.finditer(passage):
                if not match[0].strip():
                    continue
                text = folded(match[0])
                own = frozenset(terms(text)) | title
                self._lines.append(_Line(Place(n, match.start(), match.end()), text, own, own | before))
                before = own
        self._titles = frozenset(t for title in titles for t in terms(folded(title)))
        self._counts = Counter(t for line in self._lines for t in line.terms)
        self._all = frozenset(self._counts)

    def check(self, sentence: str) -> Check:
        """Check one sentence, without citation marks."""
        said = folded(sentence)
        wanted = list(dict.fromkeys(terms(said)))
        if not wanted or not self._lines:
            return _without_claim(sentence)
        weights = {t: self._weight(t) for t in wanted}
        ranked = sorted(self._lines, key=lambda line: -_share(weights, line.terms))
        best = ranked[0]
        found = self._measure(said, wanted, weights, best)
        support = 1 / (1 + math.exp(-BIAS - sum(WEIGHTS[name] * value for name, value in found.items())))
        if support >= THRESHOLD:
            least = 0.8 * _share(weights, best.terms)
            places = [x.place for x in ranked[:PLACES] if _share(weights, x.terms) >= least]
            return Check(Status.SUPPORTED, support, tuple(places))
        if _REFUSAL.search(sentence):
            return Check(Status.NO_CLAIM, support, ())
        against = found["near"] >= CONTRADICTS and (found["numbers"] or found["negation"] or found["elsewhere"] > 0)
        status = Status.CONTRADICTED if against else Status.UNSUPPORTED
        return Check(status, support, (best.place,), _why(said, found, best, self._all))

    def measure(self, sentence: str) -> dict[str, float] | None:
        """The six measurements by name, None for a sentence without terms; for fitting the weights."""
        said = folded(sentence)
        wanted = list(dict.fromkeys(terms(said)))
        if not wanted or not self._lines:
            return None
        weights = {t: self._weight(t) for t in wanted}
        return self._measure(said, wanted, weights, max(self._lines, key=lambda line: _share(weights, line.terms)))

    def _measure(self, said: str, wanted: list[str], weights: dict[str, float], best: _Line) -> dict[str, float]:
        return {
            "focus": self._near_focus(said, weights),
            "near": _dense_share(best.text, weights, NEAR_REACH * len(said)),
            "phrase": _shared_trigrams(said, best.text),
            "numbers": float(min(2, sum(is_number(t) and t not in best.terms for t in wanted))),
            "negation": float(_negated(said, best.text)),
            "elsewhere": _share(weights, self._all) - _share(weights, best.around),
        }

    def _weight(self, term: str) -> float:
        """Rare terms weigh more (inverse sentence frequency), those of a title and lone kanji less."""
        weight = max(LEAST_WEIGHT, math.log((len(self._lines) + 1) / (self._counts[term] + 0.5)))
        if term in self._titles:
            weight *= TITLE_WEIGHT
        return weight * (SINGLE_KANJI_WEIGHT if is_single_kanji(term) else 1.0)

    def _near_focus(self, said: str, weights: dict[str, float]) -> float:
        """Share of all else that stands around what the sentence ends on: in `XはAです` A, which is what it claims."""
        last = runs(said)[-1][0]
        rest = {t: w for t, w in weights.items() if t not in {term for term, _ in terms_of(last)}}
        reach, best = int(FOCUS_REACH * len(said)), 0.0
        for line in self._lines:
            start = line.text.find(last)
            while start >= 0:
                part = line.text[max(0, start - reach) : start + len(last) + reach]
                best = max(best, _share(rest, set(terms(part)) | self._titles))
                start = line.text.find(last, start + 1)
        return best


def _share(weights: dict[str, float], present: frozenset[str] | set[str]) -> float:
    total = sum(weights.values())
    return sum(w for t, w in weights.items() if t in present) / total if total else 0.0


def _dense_share(line: str, weights: dict[str, float], reach: float) -> float:
    """The largest share of the weights within `reach` characters of a line."""
    spots = [(t, i) for t, i in located_terms(line) if t in weights]
    best = 0.0
    for n, (_, start) in enumerate(spots):
        best = max(best, sum(weights[t] for t in {t for t, i in spots[n:] if i - start <= reach}))
    return best / sum(weights.values())


def _shared_trigrams(said: str, line: str) -> float:
    """Share of the sentence's three-character pieces that stand in the line: particles and order count here."""
    pieces = [p for p in (said[i : i + 3] for i in range(len(said) - 3)) if any(map(_tells, p))]
    return sum(p in line for p in pieces) / max(1, len(pieces))


def _tells(c: str) -> bool:
    return c.isalnum() and not "ぁ" <= c <= "ん"


def _negated(said: str, line: str) -> bool:
    """Whether the sentence denies what the line says: its predicate is negated and the line's is not.

    A Japanese predicate stands last, so its negation is looked for there, and in the line behind the same words. In
    English the negations of both are counted, either way round.
    """
    if language_of(said) != "ja":
        return bool(_NEGATION.search(said)) != bool(_NEGATION.search(line))
    if not _NEGATION.search(said[-9:]):
        return False
    for run, _ in runs(said)[-3:]:
        start = line.find(run)
        while start >= 0:
            if _NEGATION.search(line, start + len(run), start + len(run) + 10):
                return False
            start = line.find(run, start + 1)
    return True


def _without_claim(sentence: str) -> Check:
    if _REFUSAL.search(sentence) or not terms(folded(sentence)):
        return Check(Status.NO_CLAIM, 0.0, ())
    return Check(Status.UNSUPPORTED, 0.0, (), "no passage was given")


def _why(said: str, found: dict[str, float], best: _Line, everywhere: frozenset[str]) -> str:
    words = [run for run, _ in runs(said)]
    numbers = [w for w in words if is_number(w) and w not in best.terms]
    if numbers:
        return f"the passage has no {', '.join(numbers)} here"
    if found["negation"]:
        return "the passage says the contrary"
    missing = [w for w in words if not any(t in everywhere for t, _ in terms_of(w))]
    if missing:
        return f"no passage speaks of {', '.join(missing[:4])}"
    return "the passages hold these words, but not together"
