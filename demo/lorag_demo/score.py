"""When an answer counts: the exact sentence, and one citation that leads to the right document and page."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lorag_common.prompts import Passage
from lorag_demo.documents import Question

_CITED_ANSWER = re.compile(r"(?P<sentence>.+?)(?P<gap> ?)\[(?P<number>[1-9]\d{0,2})\]", re.DOTALL)


def is_exact(answer: str, question: Question, passages: Sequence[Passage]) -> bool:
    """True if the answer is the expected sentence followed by `[n]`, and passage n is from its document and page.

    `passages` are those that the prompt numbered, in that order. Surrounding white space does not count; anything
    else that is added, missing or different does.
    """
    match = _CITED_ANSWER.fullmatch(answer.strip())
    if match is None or match["sentence"] != question.answer:
        return False
    if match["gap"] != (" " if question.language == "en" else ""):
        return False
    number = int(match["number"])
    if number > len(passages):
        return False
    cited = passages[number - 1]
    return (cited.document, cited.page) == (question.document, question.page)


def exact_share(results: Sequence[bool]) -> float:
    """Share of exact answers, 0 to 1; ValueError when nothing was asked."""
    if not results:
        raise ValueError("no question was asked, so there is no score")
    return sum(results) / len(results)
