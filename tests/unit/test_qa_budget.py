"""The budget: whole passages, best first; what does not fit is left out or refused, never cut."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lorag_common.errors import LoragError, Reason
from lorag_qa.budget import fit

QUESTION = "q" * 10


def render(passages: Sequence[str]) -> str:
    return "".join(passages) + QUESTION


@pytest.mark.parametrize(("room", "kept"), [(70, 3), (1000, 3), (69, 2), (40, 2), (39, 1), (20, 1)], ids=str)
def test_keeps_the_best_passages_that_fit_whole(room: int, kept: int) -> None:
    passages = ["a" * 10, "b" * 20, "c" * 30]
    fitted = fit(passages, render, len, room)
    assert fitted.passages == kept
    assert fitted.prompt == render(passages[:kept])
    assert fitted.tokens == len(fitted.prompt) <= room


@pytest.mark.parametrize("room", [19, 0, -5])
def test_says_how_much_is_needed_when_not_even_the_best_fits(room: int) -> None:
    with pytest.raises(LoragError, match=rf"20 tokens.*room for {room}\.") as error:
        fit(["a" * 10, "b"], render, len, room)
    assert error.value.reason is Reason.CONTEXT_OVERFLOW
    assert "num_ctx" in error.value.remedy


def test_numbers_and_counts_the_prompt_as_it_is_sent() -> None:
    """The count is of the whole prompt: a tokenizer may join what stands at a border of two passages."""
    counted: list[str] = []

    def count(prompt: str) -> int:
        counted.append(prompt)
        return len(prompt)

    fitted = fit(["a" * 5, "b" * 50], render, count, 20)
    assert counted[-1] == fitted.prompt == "a" * 5 + QUESTION
