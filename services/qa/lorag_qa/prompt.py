"""The prompt of one question: what fits of history and passages, rendered and counted as the served model will see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lorag_common.errors import LoragError, Reason
from lorag_common.prompts import Passage, Turn, build_messages, new_nonce
from lorag_qa.budget import fit
from lorag_qa.conversation import HISTORY_SHARE, fit_history
from lorag_qa.releases import Release

# Without the model's own tokenizer: no tokenizer in use takes more than about one token a character of Japanese.
TOKENS_PER_CHARACTER = 1.2


@dataclass(frozen=True)
class Prompt:
    """A prompt that fits: `text` is finished for a release; `messages` are for a server that renders by itself.

    `tokens` of `room` are taken; `exact` says whether they were counted by the model's own tokenizer. `passages` and `turns`
    are how many of each it holds.
    """

    text: str
    messages: tuple[dict[str, str], ...]
    tokens: int
    room: int
    exact: bool
    passages: int
    turns: int


def prepare(
    release: Release | None, question: str, passages: Sequence[Passage], history: Sequence[Turn], room: int
) -> Prompt:
    """The prompt over as many turns (up to their share, latest first) and then passages (best first) as fit.

    Raises:
        LoragError: CONTEXT_OVERFLOW when not even the best passage fits; CONFIG_INVALID when the template refuses;
            PROMPT_UNSAFE when a control token would come from anywhere but the template.
    """
    if release is not None and release.template.empty:
        release = None  # the server's own template is the only one there is
    nonce = new_nonce(passages)
    control = release.control if release else {}

    def count(text: str) -> int:
        return release.count(text) if release else int(len(text) * TOKENS_PER_CHARACTER)

    turns = fit_history(history, count, int(room * HISTORY_SHARE))

    def messages(some: Sequence[Passage]) -> list[dict[str, str]]:
        return build_messages(question, some, nonce, history=turns, control=control)

    def render(some: Sequence[Passage]) -> str:
        if release is None:
            return "\n".join(m["content"] for m in messages(some))
        return release.template.render(messages(some))

    fitted = fit(passages, render, count, room)
    final = messages(passages[: fitted.passages])
    if release is not None:
        _require_safe(release, fitted.prompt, final)
    return Prompt(fitted.prompt, tuple(final), fitted.tokens, room, release is not None, fitted.passages, len(turns))


def _require_safe(release: Release, prompt: str, messages: Sequence[dict[str, str]]) -> None:
    """Hold the prompt's control tokens against those of the same conversation with nothing in it.

    Neutralizing has broken every spelling already; this is the check that it has, by the tokenizer itself.
    """
    empty = release.template.render([{"role": m["role"], "content": "x"} for m in messages])
    if release.control_tokens(prompt) != release.control_tokens(empty):
        raise LoragError(
            Reason.PROMPT_UNSAFE, "A passage, the question or an earlier turn holds the spelling of a control token."
        )
