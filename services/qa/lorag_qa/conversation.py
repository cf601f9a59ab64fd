"""What came before a question: which turns fit, and what the question means without them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lorag_common.prompts import Turn
from lorag_qa.thinking import without_thinking

# Words that point back, and the ways of going on from the last question.
_POINTS_BACK = re.compile(
    r"それ|その|そこ|そちら|これ|この|ここ|あれ|あの|彼女|彼(?![岸])|同じ|上記|前述|前者|後者|ほかに|他に(?:は|も|$)|"
    r"\b(?:it|its|they|them|their|theirs|he|him|his|she|her|hers|that|those|this|these|there|ones?|same|former|latter)\b",
    re.IGNORECASE,
)
_GOES_ON = re.compile(
    r"^(?:では|じゃあ|じゃ|なら|それでは|あと|また|さらに|逆に|一方|なぜ(?:ですか)?[?？]?$|どうして(?:ですか)?[?？]?$)|"
    r"^(?:and|but|so|then|also|what about|how about|why)\b",
    re.IGNORECASE,
)
_BARE = re.compile(r"^\S{1,12}は[?？]?$")
HISTORY_SHARE = 0.25
"""Of the prompt's room, the part that earlier turns may take."""


def clean(history: Sequence[Turn]) -> list[Turn]:
    """Turns with something in them, the model's without thinking."""
    turns = [Turn(t.role, without_thinking(t.text) if t.role == "assistant" else t.text.strip()) for t in history]
    return [t for t in turns if t.text]


def fit_history(history: Sequence[Turn], count: Callable[[str], int], room: int) -> list[Turn]:
    """The latest turns that fit into `room` tokens, beginning with one of the person's."""
    kept: list[Turn] = []
    for turn in reversed(history):
        room -= count(turn.text)
        if room < 0:
            break
        kept.insert(0, turn)
    while kept and kept[0].role != "user":
        kept.pop(0)
    return kept


def is_follow_up(question: str) -> bool:
    """Whether a question points back at what came before it."""
    asked = question.strip()
    return bool(_POINTS_BACK.search(asked) or _GOES_ON.match(asked) or _BARE.match(asked))


def search_query(question: str, history: Sequence[Turn]) -> str:
    """What to search for: the question, after the questions that it goes on from.

    A question that does not point back is searched as it is, so that a change of subject is not held back by the old one.
    """
    if not is_follow_up(question):
        return question
    before: list[str] = []
    for turn in reversed([t for t in history if t.role == "user"]):
        before.insert(0, turn.text)
        if not is_follow_up(turn.text):
            break
    return " ".join([*before[-3:], question])
