"""Questions whose passages are known: given by somebody, taken from the documents, or written by the active model."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lorag_common.errors import LoragError
from lorag_common.log import get_logger
from lorag_indexer.chunks import Chunk, ChunkSettings, chunk_page, sentence_spans
from lorag_indexer.pages import PageText

log = get_logger(__name__)

GIVEN, DOCUMENTS, GENERATED = "given", "documents", "generated"
MOST_PROBES = 64
MOST_GENERATED = 32
FEWEST_PROBES = 8
_SENTENCE = range(15, 160)
_PROMPT = (
    "次の文章を読めば答えられる質問を、文章と同じ言語で一つだけ書いてください。質問だけを一行で書き、答えは書かないでください。\n"
    "Write one question that the following text answers, in the language of the text, on one line, and nothing else.\n\n"
    "{text}"
)
_THOUGHT = re.compile(r"(?s).*</think>")


@dataclass(frozen=True)
class Probe:
    """A question and what answers it.

    Attributes:
        pages: right are the chunks of these (document, page); page 0 means any.
        chunks: and these.
        hidden: chunks that are taken out of the results before they are judged, because the question was taken from them.
    """

    question: str
    pages: frozenset[tuple[str, int]] = frozenset()
    chunks: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()

    def right(self, chunk: Chunk) -> bool:
        """Whether a chunk answers it."""
        if chunk.id in self.chunks:
            return True
        return (chunk.document_id, chunk.page) in self.pages or (chunk.document_id, 0) in self.pages


def given(questions: Sequence[dict[str, Any]]) -> list[Probe]:
    """Probes from dictionaries of question, document_id and page."""
    return [Probe(q["question"], frozenset({(q["document_id"], int(q["page"]))})) for q in questions]


def from_documents(pages: Sequence[PageText], ids: Sequence[str], chunking: ChunkSettings, seed: str) -> list[Probe]:
    """One sentence a page asks for what stands around it (the inverse cloze task, Lee et al. 2019).

    The chunks that hold the sentence are hidden, or keywords would win by reading it back.

    Args:
        pages: text of pages.
        ids: the document of each.
        chunking: as in the index.
        seed: makes the choice of sentences the same every time.
    """
    chance = random.Random(seed)
    order = list(range(len(pages)))
    chance.shuffle(order)
    out: list[Probe] = []
    for n in order:
        if len(out) >= MOST_PROBES:
            break
        page = pages[n]
        spans = [(a, b) for a, b in sentence_spans(page.text) if b - a in _SENTENCE]
        chunks = chunk_page(ids[n], page.page, page.text, chunking)
        if not spans or len(chunks) < 2:
            continue
        start, end = chance.choice(spans)
        hidden = frozenset(c.id for c in chunks if c.start < end and start < c.end)
        right = frozenset(c.id for c in chunks) - hidden
        if right:
            out.append(Probe(page.text[start:end], chunks=right, hidden=hidden))
    return out


def generated(
    pages: Sequence[PageText], ids: Sequence[str], write: Callable[[str], str], seed: str, stop: Callable[[], None]
) -> Iterator[Probe]:
    """Questions that a model writes about pages; what is no single question is left out.

    Args:
        pages: text of pages.
        ids: the document of each.
        write: the model's answer to a prompt.
        seed: makes the choice of pages the same every time.
        stop: raises when the job is to end.
    """
    chance = random.Random(seed)
    order = list(range(len(pages)))
    chance.shuffle(order)
    for n in order[:MOST_GENERATED]:
        stop()
        try:
            answer = _THOUGHT.sub("", write(_PROMPT.format(text=pages[n].text[:1500])))
        except LoragError as error:
            log.warning("no question could be written", reason=str(error.reason))
            continue
        lines = [line.strip(" 「」\"'*-・") for line in answer.splitlines() if line.strip()]
        if len(lines) == 1 and 5 <= len(lines[0]) <= 200:
            yield Probe(lines[0], frozenset({(ids[n], pages[n].page)}))
