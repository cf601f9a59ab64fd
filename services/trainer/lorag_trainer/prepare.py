"""A stored dataset -> the token ids to learn from, and the examples held out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lorag_common.errors import LoragError, Reason
from lorag_trainer.examples import Example, Message
from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.render import Renderer

Row = dict[str, list[int]]
"""`input_ids` and `labels` of one turn, both of shape [tokens]."""
NAMED_LINES = 5


@dataclass(frozen=True)
class Prepared:
    """What a training learns from and what it is measured on."""

    train: list[Row]
    heldout: list[Row]
    heldout_messages: list[list[Message]]


def prepare(
    examples: Iterator[Example], settings: TrainingSettings, renderer: Renderer, progress: Callable[[int, int], None]
) -> Prepared:
    """Split by the seed, render and tokenize. The same dataset and settings give the same rows, also after a restart.

    Args:
        examples: the dataset's.
        settings: seed, heldout_fraction and max_length count here.
        renderer: of the base model's tokenizer.
        progress: told (done, total) now and then.

    Raises:
        LoragError: EXAMPLE_TOO_LONG with how many and the first lines; DATASET_MALFORMED for a turn that the template
            does not carry whole.
    """
    everything = list(examples)
    chosen = random.Random(settings.seed).sample(range(len(everything)), settings.heldout_count(len(everything)))
    aside = set(chosen)
    train: list[Row] = []
    heldout: list[Row] = []
    too_long: dict[int, int] = {}
    for i, example in enumerate(everything):
        for turn in example.turns():
            row = renderer.tokens(turn, example.line)
            if (length := len(row["input_ids"])) > settings.max_length:
                too_long[example.line] = max(length, too_long.get(example.line, 0))
            (heldout if i in aside else train).append(row)
        if i % 100 == 0:
            progress(i, len(everything))
    if too_long:
        raise _too_long(too_long, settings.max_length)
    return Prepared(train, heldout, [list(everything[i].messages) for i in sorted(aside)])


def _too_long(lines: dict[int, int], limit: int) -> LoragError:
    named = ", ".join(f"line {line} ({length} tokens)" for line, length in list(lines.items())[:NAMED_LINES])
    more = f" and {len(lines) - NAMED_LINES} more" if len(lines) > NAMED_LINES else ""
    return LoragError(
        Reason.EXAMPLE_TOO_LONG,
        f"{len(lines)} example(s) have more than {limit} tokens: {named}{more}.",
        remedy=f"Raise max_length to {max(lines.values())}, or shorten or remove the named examples.",
        field="settings.max_length",
    )
