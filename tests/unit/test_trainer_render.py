"""Rendering: a target starts where the generation prompt ends, is never cut, and ends by a stop token."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import Environment

from lorag_common.errors import LoragError, Reason
from lorag_trainer.examples import Example, Message
from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.prepare import prepare
from lorag_trainer.render import IGNORED, Renderer

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Like R1's: reasoning is cut out of answers, and the generation prompt opens it.
REASONING = (
    "{% for m in messages %}{% if m.role == 'assistant' %}<A>{{ m.content.split('</think>')[-1] }}<E>"
    "{% else %}<U>{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}<A><think>\n{% endif %}"
)
CUTTING = REASONING.replace("<think>\n{% endif %}", "{% endif %}")
ENDLESS = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


class CharacterTokenizer:
    """One token a character; the template is rendered by the same engine as the real tokenizers'."""

    eos_token = "<E>"
    eos_token_id = 0

    def __init__(self, template: str) -> None:
        self.chat_template = template
        self.all_special_tokens = ["<E>", "<|im_end|>"]

    def apply_chat_template(self, messages: list[Message], tokenize: bool, add_generation_prompt: bool) -> str:
        template = Environment().from_string(self.chat_template)
        return template.render(messages=messages, add_generation_prompt=add_generation_prompt)

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        return {"input_ids": [ord(c) for c in text]}


def turn(answer: str) -> dict[str, list[Message]]:
    return {"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": answer}]}


@pytest.mark.parametrize(
    ("template", "answer", "prompt", "target"),
    [
        (CHATML, "a", "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n", "a<|im_end|>\n"),
        (REASONING, "<think>\nwhy\n</think>\n\na", "<U>q<A><think>\n", "why\n</think>\n\na<E>"),
        (REASONING, "a", "<U>q<A><think>\n", "\n</think>\n\na<E>"),
        (ENDLESS, "a", "[user]q[assistant]", "a<E>"),
    ],
)
def test_the_target_starts_where_the_generation_prompt_ends(
    template: str, answer: str, prompt: str, target: str
) -> None:
    renderer: Any = Renderer(CharacterTokenizer(template))

    row = renderer.tokens(turn(answer), 1)

    assert renderer.texts(turn(answer), 1) == (prompt, target)
    assert row["input_ids"] == [ord(c) for c in prompt + target]
    assert row["labels"] == [IGNORED] * len(prompt) + [ord(c) for c in target]


def test_a_template_that_drops_reasoning_is_refused() -> None:
    with pytest.raises(LoragError) as caught:
        Renderer(CharacterTokenizer(CUTTING)).texts(turn("<think>why</think>a"), 7)

    assert caught.value.reason is Reason.DATASET_MALFORMED
    assert "Line 7" in caught.value.message


def test_a_base_without_a_template_learns_plain_text_only() -> None:
    renderer: Any = Renderer(CharacterTokenizer(""))

    [(row, _)] = renderer.rows(Example(1, text="abc"), "assistant", 10)
    with pytest.raises(LoragError) as caught:
        renderer.texts(turn("a"), 1)

    assert row["labels"] == row["input_ids"]
    assert caught.value.field == "base_model"


def test_examples_that_are_too_long_are_counted_and_named() -> None:
    examples = [Example(n, tuple(turn("x" * n)["prompt"] + turn("x" * n)["completion"])) for n in range(1, 41)]
    settings = TrainingSettings.parse({"max_length": 30, "heldout_fraction": 0})

    with pytest.raises(LoragError) as caught:
        prepare(iter(examples), settings, Renderer(CharacterTokenizer(ENDLESS)), lambda *_: None)

    # Prompt 18 characters, stop token 3: 30 - 21 = 9 characters still fit.
    assert caught.value.reason is Reason.EXAMPLE_TOO_LONG
    assert caught.value.message.startswith("31 example(s) have more than 30 tokens: line 10 (31 tokens)")
    assert "and 26 more" in caught.value.message


def test_the_same_seed_holds_out_the_same_examples() -> None:
    examples = [Example(n, tuple(turn(str(n))["prompt"] + turn(str(n))["completion"])) for n in range(40)]
    settings = TrainingSettings.parse({"heldout_fraction": 0.25, "seed": 3})
    renderer = Renderer(CharacterTokenizer(CHATML))

    first, again = (prepare(iter(examples), settings, renderer, lambda *_: None) for _ in range(2))

    assert first == again
    assert (len(first.train), len(first.heldout), len(first.heldout_examples)) == (30, 10, 10)


def test_repeated_examples_are_on_one_side_of_the_split() -> None:
    examples = [Example(n, tuple(turn(str(n % 20))["prompt"] + turn(str(n % 20))["completion"])) for n in range(40)]
    settings = TrainingSettings.parse({"heldout_fraction": 0.5})

    data = prepare(iter(examples), settings, Renderer(CharacterTokenizer(CHATML)), lambda *_: None)

    train, heldout = ({tuple(row["input_ids"]) for row in rows} for rows in (data.train, data.heldout))
    assert (len(train), len(heldout)) == (10, 10)
    assert not train & heldout


@pytest.mark.parametrize(("too_long", "kept", "longest"), [("skip", 9, 30), ("truncate", 9 + 3, 30)])
def test_long_examples_are_skipped_or_cut_as_told_and_it_is_noted(too_long: str, kept: int, longest: int) -> None:
    examples = [Example(n, tuple(turn("x" * n)["prompt"] + turn("x" * n)["completion"])) for n in range(1, 13)]
    settings = TrainingSettings.parse({"max_length": 30, "heldout_fraction": 0, "too_long": too_long})

    data = prepare(iter(examples), settings, Renderer(CharacterTokenizer(ENDLESS)), lambda *_: None)

    assert len(data.train) == kept
    assert max(len(row["input_ids"]) for row in data.train) == longest
    assert data.notes[0].startswith("3 example(s) were")
    assert "line 10 (31 tokens)" in data.notes[0]
