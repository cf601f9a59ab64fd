"""An answer as sentences with the citation marks that belong to them."""

from __future__ import annotations

import re
from dataclasses import dataclass

MARK = re.compile(r"\s?\[(\d{1,3})\]")
# A sentence takes its ending and the marks behind it; an English one ends only before white space and what begins another.
_END = re.compile(r"[。！？!?]+[」』）)\"”]*(?:\s*\[\d{1,3}\])*|\.[)\"”]*(?:\s*\[\d{1,3}\])*(?=\s|$)|\n+")
_ABBREVIATION = re.compile(r"(?:^|\s)(?:[A-Za-z]|e\.g|i\.e|etc|vs|No|Mr|Mrs|Ms|Dr|St|Fig|approx)\.$")


@dataclass(frozen=True)
class AnswerSentence:
    """A sentence without its marks, where it stands in the answer (marks included), and the numbers in its marks."""

    text: str
    start: int
    end: int
    marked: tuple[int, ...]


def split_answer(answer: str) -> list[AnswerSentence]:
    """The sentences of an answer, in order; white space belongs to none."""
    found, start = [], 0
    for match in _END.finditer(answer):
        if _ABBREVIATION.search(answer[start : match.start() + 1]):
            continue
        found.append((start, match.end()))
        start = match.end()
    found.append((start, len(answer)))
    return [s for a, b in found if (s := _sentence(answer, a, b)) is not None]


def _sentence(answer: str, start: int, end: int) -> AnswerSentence | None:
    raw = answer[start:end]
    text = MARK.sub("", raw).strip()
    start += len(raw) - len(raw.lstrip())
    end = start + len(raw.strip())
    if not text:
        return None
    return AnswerSentence(text, start, end, tuple(int(n) for n in MARK.findall(raw)))
