"""Prompt and evaluated tokens: whether the model read all that it was sent."""

from __future__ import annotations

from dataclasses import dataclass

from lorag_common.errors import LoragError, Reason


@dataclass(frozen=True)
class Tokens:
    """Counts of one answer; `evaluated` is None when the server's count says nothing."""

    budgeted: int
    sent: int
    evaluated: int | None
    answer: int
    exact: bool
    passages_left_out: int = 0
    turns_left_out: int = 0


def evaluated_tokens(sent: int, told: int | None, context: int | None) -> int | None:
    """How many of the tokens sent the server evaluated; None when that cannot be known.

    A server with a prompt cache may count only what was not cached. Its count then tells nothing, unless its context is
    too small for what was sent: then the prompt was cut.

    Args:
        sent: tokens of the prompt, by the served model's tokenizer.
        told: the server's count.
        context: tokens of context that the loaded model has, where the server says so.

    Raises:
        LoragError: CONTEXT_OVERFLOW when the prompt was cut; MODEL_SERVER_FAILED when more was evaluated than sent.
    """
    if told is None or told <= 0:
        return None
    if told > sent:
        raise LoragError(
            Reason.MODEL_SERVER_FAILED,
            f"The model server evaluated {told} tokens of a prompt of {sent}: it adds something to it.",
            remedy="Publish the release again; publishing checks what the server does to a prompt.",
        )
    if told == sent:
        return told
    if context is None and told > sent // 2:
        raise _cut(sent, told)
    if context is not None and context < sent:
        raise _cut(sent, told)
    return None


def _cut(sent: int, told: int) -> LoragError:
    return LoragError(Reason.CONTEXT_OVERFLOW, f"The model server evaluated {told} of {sent} tokens of the prompt.")
