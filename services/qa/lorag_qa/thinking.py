"""A reasoning model's thinking apart from its answer, whatever the server does with the tags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

OPEN, CLOSE = "<think>", "</think>"
_BLOCK = re.compile(r"<think>.*?(?:</think>|\Z)|\A.*?</think>", re.DOTALL)


@dataclass(frozen=True)
class Thinking:
    """A piece of thinking."""

    text: str


class _State(StrEnum):
    TEXT = "text"
    THINKING = "thinking"
    UNDECIDED = "undecided"


def opened_by(prompt: str) -> bool:
    """Whether a finished prompt ends within the thinking, as R1 templates do: then the model writes no opening tag."""
    return prompt.rfind(OPEN) > prompt.rfind(CLOSE) and prompt.rstrip().endswith(OPEN)


def without_thinking(text: str) -> str:
    """A whole message without its thinking, also where the opening or the closing tag is missing."""
    return _BLOCK.sub("", text).strip()


class Splitter:
    """Splits a stream of pieces into thinking and text; a tag may be split over pieces.

    Args:
        opened: the prompt ended within the thinking.
        undecided: the server's template may have opened it unseen. Text is then held back until a tag or the end says
            what it was.
    """

    def __init__(self, *, opened: bool = False, undecided: bool = False) -> None:
        self._state = _State.THINKING if opened else _State.UNDECIDED if undecided else _State.TEXT
        self._held = ""
        self._closed = False

    def add(self, piece: str) -> list[Thinking | str]:
        """What can be told of the text so far."""
        self._held += piece
        out: list[Thinking | str] = []
        while self._step(out):
            pass
        return out

    def finish(self) -> list[Thinking | str]:
        """What was held back, at the end of the stream."""
        out: list[Thinking | str] = []
        self._pass(out, len(self._held))
        return out

    def _step(self, out: list[Thinking | str]) -> bool:
        """Pass on what is certain; whether there may be more to tell."""
        tags = {_State.TEXT: (OPEN, CLOSE), _State.THINKING: (CLOSE, OPEN), _State.UNDECIDED: (CLOSE, OPEN)}[
            self._state
        ]
        found = min(((i, t) for t in tags if (i := self._held.find(t)) >= 0), default=None)
        if found is None:
            if self._state is not _State.UNDECIDED:
                keep = max(_overlap(self._held, t) for t in tags)
                self._pass(out, len(self._held) - keep)
            return False
        at, tag = found
        if self._state is _State.UNDECIDED and tag == CLOSE:
            self._state = _State.THINKING
        elif self._state is _State.UNDECIDED:
            self._state = _State.TEXT
        self._pass(out, at)
        self._held = self._held[len(tag) :]
        self._closed = tag == CLOSE
        self._state = _State.THINKING if tag == OPEN else _State.TEXT
        return bool(self._held)

    def _pass(self, out: list[Thinking | str], count: int) -> None:
        text, self._held = self._held[:count], self._held[count:]
        if self._closed:
            # The line ends between thinking and answer belong to neither.
            text = text.lstrip("\n")
        if text:
            self._closed = False
            out.append(Thinking(text) if self._state is _State.THINKING else text)


def _overlap(text: str, tag: str) -> int:
    """Length of the longest end of `text` that begins `tag`."""
    return next((n for n in range(min(len(text), len(tag) - 1), 0, -1) if text.endswith(tag[:n])), 0)
