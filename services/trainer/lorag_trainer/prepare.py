"""A stored dataset -> the token ids to learn from, and the examples held out."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lorag_common.errors import LoragError, Reason
from lorag_trainer.examples import Example
from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.render import IGNORED, Renderer, Row

NAMED_LINES = 5


@dataclass(frozen=True)
class Prepared:
    """What a training learns from and what it is measured on.

    Attributes:
        train: sequences to learn from.
        heldout: sequences to measure on.
        heldout_examples: the examples they come from, as in `heldout.jsonl`.
        notes: what was left out or cut, for a person.
    """

    train: list[Row]
    heldout: list[Row]
    heldout_examples: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)


def prepare(
    examples: Iterator[Example], settings: TrainingSettings, renderer: Renderer, progress: Callable[[int, int], None]
) -> Prepared:
    """Split by the seed, render and tokenize. The same dataset and settings give the same rows, also after a restart.

    Examples that stand in the dataset several times go to one side of the split together: what is measured was not
    learned.

    Args:
        examples: the dataset's.
        settings: seed, heldout_fraction, learn, max_length and too_long count here.
        renderer: of the base model's tokenizer.
        progress: told (done, total) now and then.

    Raises:
        LoragError: EXAMPLE_TOO_LONG with how many and the first lines; DATASET_MALFORMED for a turn that the template
            does not carry whole; DATASET_EMPTY when nothing is left to learn.
    """
    everything = list(examples)
    aside = _held_out(everything, settings)
    train: list[Row] = []
    heldout: list[Row] = []
    too_long: dict[int, int] = {}
    for i, example in enumerate(everything):
        for row, _ in renderer.rows(example, settings.learn, settings.max_length):
            if (length := len(row["input_ids"])) > settings.max_length:
                too_long[example.line] = max(length, too_long.get(example.line, 0))
                if settings.too_long != "truncate" or not (row := cut(row, settings.max_length)):
                    continue
            (heldout if i in aside else train).append(row)
        if i % 100 == 0:
            progress(i, len(everything))
    if too_long and settings.too_long == "refuse":
        raise _too_long(too_long, settings.max_length)
    if not train:
        message = "No example is left to learn from: all are longer than max_length."
        raise LoragError(Reason.DATASET_EMPTY, message, remedy="Raise max_length.", field="settings.max_length")
    notes = []
    if too_long:
        done = "cut to" if settings.too_long == "truncate" else "left out, being longer than"
        notes.append(f"{len(too_long)} example(s) were {done} {settings.max_length} tokens: {_named(too_long)}.")
    return Prepared(train, heldout, [everything[i].as_dict() for i in sorted(aside)], notes)


def cut(row: Row, max_length: int) -> Row:
    """The row's first tokens; empty when none of them is learned."""
    short = {key: values[:max_length] for key, values in row.items()}
    return short if any(label != IGNORED for label in short["labels"]) else {}


def _held_out(everything: list[Example], settings: TrainingSettings) -> set[int]:
    groups: dict[str, list[int]] = {}
    for i, example in enumerate(everything):
        groups.setdefault(json.dumps(example.as_dict()), []).append(i)
    same = list(groups.values())
    chosen = random.Random(settings.seed).sample(range(len(same)), settings.heldout_count(len(same)))
    return {i for group in chosen for i in same[group]}


def _named(lines: dict[int, int]) -> str:
    named = ", ".join(f"line {line} ({length} tokens)" for line, length in list(lines.items())[:NAMED_LINES])
    return named + (f" and {len(lines) - NAMED_LINES} more" if len(lines) > NAMED_LINES else "")


def _too_long(lines: dict[int, int], limit: int) -> LoragError:
    return LoragError(
        Reason.EXAMPLE_TOO_LONG,
        f"{len(lines)} example(s) have more than {limit} tokens: {_named(lines)}.",
        remedy=f"Raise max_length to {max(lines.values())}, shorten the named examples, or set too_long to skip or "
        "truncate.",
        field="settings.max_length",
    )
