"""The one prompt: numbered passages and a question, the same for training data and for answering.

A mark `[n]` follows every sentence of passage n rather than standing once before the passage: small models then cite
rightly far more often, because the mark is near what they quote.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SYSTEM = {
    "ja": "資料だけから答え、根拠の番号を付けてください。",
    "en": "Answer from the passages only and cite their number.",
}
QUESTION = {"ja": "質問：", "en": "Question: "}

_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
# A sentence ends after 。！？ anywhere, or after . ! ? before white space; an abbreviation or a decimal does not match.
_SENTENCE_END = re.compile(r"(?<=[。！？])\s*|(?<=[.!?])\s+(?=[A-Z0-9\"'(「])|\n+")


@dataclass(frozen=True)
class Passage:
    """A retrieved text with where it stands."""

    text: str
    document: str
    page: int


def language_of(text: str) -> str:
    """`ja` when the text holds any kana or kanji, else `en`."""
    return "ja" if _JAPANESE.search(text) else "en"


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, stripped, none empty."""
    return [s for part in _SENTENCE_END.split(text) if (s := part.strip())]


def mark_passage(text: str, number: int) -> str:
    """A passage on one line, `[number]` after each of its sentences."""
    gap, joint = ("", "") if language_of(text) == "ja" else (" ", " ")
    return joint.join(f"{sentence}{gap}[{number}]" for sentence in split_sentences(text))


def build_messages(question: str, passages: Sequence[Passage]) -> list[dict[str, str]]:
    """System and user message for a question over passages, numbered from 1 in their order."""
    language = language_of(question)
    lines = "".join(f"{mark_passage(p.text, n)}\n" for n, p in enumerate(passages, start=1))
    return [
        {"role": "system", "content": SYSTEM[language]},
        {"role": "user", "content": f"{lines}{QUESTION[language]}{question}"},
    ]


def cited_numbers(answer: str, count: int) -> list[int]:
    """Numbers of the passages that an answer cites, each once, in order; marks beyond `count` do not count."""
    seen = dict.fromkeys(int(n) for n in re.findall(r"\[(\d{1,3})\]", answer))
    return [n for n in seen if 1 <= n <= count]
