"""Fitting passages into the context: whole passages, best first; nothing is cut in the middle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lorag_common.errors import LoragError, Reason

T = TypeVar("T")


@dataclass(frozen=True)
class Fitted:
    """The prompt with its tokens, and how many passages it holds."""

    prompt: str
    tokens: int
    passages: int


def fit(passages: Sequence[T], render: Callable[[Sequence[T]], str], count: Callable[[str], int], room: int) -> Fitted:
    """The prompt over as many passages, from the best, as fit into `room` tokens.

    Args:
        passages: best first.
        render: the finished prompt over some of them.
        count: tokens of a prompt.
        room: tokens that the prompt may take: the context less the answer's share.

    Raises:
        LoragError: CONTEXT_OVERFLOW when not even the best passage fits.
    """
    needed = 0
    for n in range(len(passages), 0, -1):
        prompt = render(passages[:n])
        needed = count(prompt)
        if needed <= room:
            return Fitted(prompt, needed, n)
    raise LoragError(
        Reason.CONTEXT_OVERFLOW, f"The question with one passage takes {needed} tokens, and there is room for {room}."
    )
