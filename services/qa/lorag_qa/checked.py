"""The sentences of an answer, each checked against the passages, with citations that lead to their place on the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from lorag_common.prompts import language_of
from lorag_qa.search import Box, Found
from lorag_qa.sentences import AnswerSentence, split_answer
from lorag_qa.verify import Evidence, Place, Status

REFUSALS = {
    "ja": "資料からは、この質問の答えを確かめられませんでした。",
    "en": "The documents do not answer this question.",
}
_HALF_MARK = re.compile(r"\s*(?:\[\d{0,3})?$")


@dataclass(frozen=True)
class Citation:
    """A place in a document; `span` in characters of the page's text."""

    number: int
    document_id: str
    document: str
    page: int
    span: tuple[int, int]
    quote: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Sentence:
    """One sentence of the answer and what its check found; `start` and `end` in characters of the answer."""

    text: str
    start: int
    end: int
    status: Status
    support: float
    citations: tuple[Citation, ...]
    marked: tuple[int, ...]
    reason: str = ""
    withheld: bool = False


class Checker:
    """Checks sentences against the passages that the model was given."""

    def __init__(self, passages: Sequence[Found]) -> None:
        self._passages = passages

    @cached_property
    def _evidence(self) -> Evidence:
        # Made when the first sentence is there to be checked: nobody has to wait for it before the first word.
        return Evidence([p.text for p in self._passages], [p.document.rpartition(".")[0] for p in self._passages])

    def check(self, piece: AnswerSentence, *, strict: bool) -> Sentence:
        """One sentence; in strict mode one that is not supported is withheld."""
        found = self._evidence.check(piece.text)
        supported = found.status is Status.SUPPORTED
        return Sentence(
            text=piece.text,
            start=piece.start,
            end=piece.end,
            status=found.status,
            support=round(found.support, 4),
            citations=tuple(self._citation(place) for place in found.places) if supported else (),
            marked=tuple(n for n in piece.marked if 1 <= n <= len(self._passages)),
            reason=found.reason,
            withheld=strict and not supported,
        )

    def _citation(self, place: Place) -> Citation:
        source = self._passages[place.passage]
        span = (source.span[0] + place.start, source.span[0] + place.end)
        return Citation(
            number=place.passage + 1,
            document_id=source.document_id,
            document=source.document,
            page=source.page,
            span=span,
            quote=source.text[place.start : place.end].strip(),
            boxes=source.boxes(span),
        )


class Gate:
    """What of an answer may be shown, as it grows: in open mode everything, in strict mode supported sentences alone."""

    def __init__(self, checker: Checker, *, strict: bool) -> None:
        self._checker, self._strict = checker, strict
        self._answer = ""
        self._shown = 0
        self.sentences: list[Sentence] = []

    @property
    def answer(self) -> str:
        """The answer as it was generated."""
        return self._answer

    def add(self, piece: str) -> str:
        """The text to show now."""
        self._answer += piece
        if not self._strict:
            return piece
        # The last sentence may go on, or its marks may follow: half a mark is not the next sentence.
        return self._show(split_answer(_HALF_MARK.sub("", self._answer))[:-1])

    def finish(self) -> str:
        """The text to show at the end; afterwards `sentences` is complete."""
        pieces = split_answer(self._answer)
        shown = self._show(pieces)
        return shown if self._strict else ""

    def _show(self, pieces: Sequence[AnswerSentence]) -> str:
        shown = ""
        for piece in pieces[len(self.sentences) :]:
            checked = self._checker.check(piece, strict=self._strict)
            self.sentences.append(checked)
            if not checked.withheld:
                gap = " " if self._shown + len(shown) and language_of(piece.text) != "ja" else ""
                shown += gap + self._answer[piece.start : piece.end]
        self._shown += len(shown)
        return shown


def refusal(question: str, sentences: Sequence[Sentence]) -> str:
    """What to tell the person when no sentence is supported; empty when one is."""
    if any(s.status is Status.SUPPORTED for s in sentences):
        return ""
    return REFUSALS[language_of(question)]
