"""The loss mask, token by token, against expectations written by hand; and reasoning survives where it is learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from lorag_common.errors import LoragError, Reason
from lorag_trainer.examples import Example, read_examples
from lorag_trainer.files import read_records
from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.preview import describe
from lorag_trainer.render import Renderer

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# As R1-Distill's: reasoning is cut out of every answer. The newer one's generation prompt opens it, the older one's not.
R1_OLD = (
    "{{ bos_token }}{% for m in messages if m.role == 'system' %}{{ m.content }}{% endfor %}{% for m in messages %}"
    "{% if m.role == 'user' %}<｜User｜>{{ m.content }}{% elif m.role == 'assistant' %}"
    "<｜Assistant｜>{{ m.content.split('</think>')[-1] }}<｜end▁of▁sentence｜>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<｜Assistant｜>{% endif %}"
)
R1_NEW = R1_OLD.replace("<｜Assistant｜>{% endif %}", "<｜Assistant｜><think>\n{% endif %}")
WORDS = ["user", "assistant", "system", "1", "2", "\n", "A", "B", "C", "why", "so", "Be", "text", "more"]
SPECIALS = [
    "<|im_start|>",
    "<|im_end|>",
    "<think>",
    "</think>",
    "<｜User｜>",
    "<｜Assistant｜>",
    "<｜end▁of▁sentence｜>",
    "<s>",
]


def tokenizer_of(template: str, end: str = "<|im_end|>") -> Any:
    """One token a word, so that expectations can be read."""
    vocabulary = {word: i for i, word in enumerate(["?", *WORDS])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    raw.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
    words = "|".join(sorted(WORDS, key=len, reverse=True)).replace("\n", "\\n")
    from tokenizers import Regex

    raw.pre_tokenizer = pre_tokenizers.Split(Regex(words), "isolated")
    raw.decoder = decoders.Fuse()
    raw.add_special_tokens(SPECIALS)
    made = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=end, bos_token="<s>", unk_token="?")
    made.chat_template = template
    return made


def seen(tokenizer: Any, example: Example, learn: str = "assistant") -> list[str]:
    """Each sequence as the model sees it; what is learned in brackets."""
    out = []
    for row, _ in Renderer(tokenizer).rows(example, learn, 1000):
        tokens = tokenizer.convert_ids_to_tokens(row["input_ids"])
        marked = [t if label == -100 else f"[{t}]" for t, label in zip(tokens, row["labels"], strict=True)]
        assert all(label in (-100, i) for i, label in zip(row["input_ids"], row["labels"], strict=True))
        out.append(" ".join(marked).replace("\n", "⏎"))
    return out


FORMS: dict[str, dict[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}]},
    "sharegpt": {"conversations": [{"from": "human", "value": "A"}, {"from": "gpt", "value": "B"}]},
    "alpaca": {"instruction": "A", "output": "B"},
    "prompt-completion": {"prompt": "A", "completion": "B"},
}


@pytest.mark.parametrize("form", FORMS)
def test_of_every_form_the_answer_and_its_end_are_learned(tmp_path: Path, form: str) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text(json.dumps(FORMS[form]))
    [found] = read_examples(read_records(path, "jsonl"))
    assert isinstance(found, tuple)

    assert found[0] == form
    assert seen(tokenizer_of(CHATML), found[1]) == [
        "<|im_start|> user ⏎ A <|im_end|> ⏎ <|im_start|> assistant ⏎ [B] [<|im_end|>] [⏎]"
    ]


TALK = Example(
    1,
    (
        {"role": "system", "content": "Be"},
        {"role": "user", "content": "A"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "B"},
        {"role": "assistant", "content": "2"},
    ),
)
HEAD = "<|im_start|> system ⏎ Be <|im_end|> ⏎ <|im_start|> user ⏎ A <|im_end|> ⏎ <|im_start|> assistant ⏎"
REST = "1 <|im_end|> ⏎ <|im_start|> user ⏎ B <|im_end|> ⏎ <|im_start|> assistant ⏎"


@pytest.mark.parametrize(
    ("learn", "expected"),
    [
        ("assistant", [f"{HEAD} [1] [<|im_end|>] [⏎]", f"{HEAD} {REST} [2] [<|im_end|>] [⏎]"]),
        ("completion", [f"{HEAD} {REST} [2] [<|im_end|>] [⏎]"]),
        ("all", [" ".join(f"[{t}]" for t in f"{HEAD} {REST} 2 <|im_end|> ⏎".split())]),
    ],
)
def test_of_a_conversation_what_is_told_is_learned(learn: str, expected: list[str]) -> None:
    assert seen(tokenizer_of(CHATML), TALK, learn) == expected


def test_plain_text_is_learned_whole_and_divided_without_loss() -> None:
    tokenizer = tokenizer_of("")
    rows = [row for row, _ in Renderer(tokenizer).rows(Example(1, text="textmoreA"), "assistant", 3)]

    tokens = [tokenizer.convert_ids_to_tokens(row["input_ids"]) for row in rows]
    assert tokens == [["text", "more", "A"], ["<|im_end|>"]]
    assert all(row["labels"] == row["input_ids"] for row in rows)


THOUGHT = Example(1, ({"role": "user", "content": "A"}, {"role": "assistant", "content": "<think>why</think>B"}))
PLAIN = Example(1, ({"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}))
AGAIN = Example(1, (*THOUGHT.messages, {"role": "user", "content": "C"}, {"role": "assistant", "content": "so"}))
PROMPT = "<s> <｜User｜> A <｜Assistant｜>"
END = "[<｜end▁of▁sentence｜>]"


@pytest.mark.parametrize(
    ("template", "example", "expected"),
    [
        (R1_NEW, THOUGHT, f"{PROMPT} <think> ⏎ [why] [⏎] [</think>] [⏎] [⏎] [B] {END}"),
        (R1_OLD, THOUGHT, f"{PROMPT} [<think>] [⏎] [why] [⏎] [</think>] [⏎] [⏎] [B] {END}"),
        (R1_NEW, PLAIN, f"{PROMPT} <think> ⏎ [⏎] [</think>] [⏎] [⏎] [B] {END}"),
        (R1_OLD, PLAIN, f"{PROMPT} [B] {END}"),
        # What was thought in an earlier turn is not served again, and so stands in no prompt.
        (R1_OLD, AGAIN, f"{PROMPT} B <｜end▁of▁sentence｜> <｜User｜> C <｜Assistant｜> [so] {END}"),
    ],
)
def test_reasoning_of_the_r1_family_is_learned_behind_the_prompt_that_is_served(
    template: str, example: Example, expected: str
) -> None:
    tokenizer = tokenizer_of(template, "<｜end▁of▁sentence｜>")

    assert seen(tokenizer, example)[-1] == expected
    prompt = tokenizer.apply_chat_template(list(example.messages[:-1]), tokenize=True, add_generation_prompt=True)
    [*_, (row, _)] = Renderer(tokenizer).rows(example, "assistant", 1000)
    served = list(prompt["input_ids"])
    assert row["input_ids"][: len(served)] == served
    assert row["labels"][: len(served)] == [-100] * len(served)
    assert row["labels"][len(served)] != -100


def test_reasoning_that_a_template_would_drop_is_refused() -> None:
    # Cut like R1's, but of no family that is known here.
    unknown = R1_OLD.replace("<｜Assistant｜>", "<|im_start|>")

    with pytest.raises(LoragError) as caught:
        seen(tokenizer_of(unknown), THOUGHT)

    assert caught.value.reason is Reason.DATASET_MALFORMED
    assert "Line 1" in caught.value.message


def test_the_preview_counts_what_is_learned() -> None:
    tokenizer = tokenizer_of(R1_NEW, "<｜end▁of▁sentence｜>")
    settings = TrainingSettings.parse({"max_length": 12, "too_long": "truncate"})

    found = describe([PLAIN, THOUGHT], settings, tokenizer, 1)

    assert (found.sequence_count, found.longest, found.template, found.reasoning_count) == (2, 13, "deepseek-r1", 1)
    assert found.too_long_share == 0.5
    # "B" survives; of "why</think>B" all of the reasoning and the answer does, the stop token alone is cut.
    assert found.learned_answer_share == 1.0
    assert (found.token_count, found.learned_token_count) == (12 + 12, 6 + 6)
    assert found.lengths == [(12, 12, 1), (13, 13, 1)]
    [shown] = found.examples
    assert [text for _, text, learned in shown["tokens"] if learned] == [
        "\n", "</think>", "\n", "\n", "B", "<｜end▁of▁sentence｜>",
    ]  # fmt: skip
    # Both are as long as a sequence may be.
    assert found.packed_count == 2


def test_the_preview_says_how_much_of_the_answers_is_cut_off() -> None:
    tokenizer = tokenizer_of(CHATML)
    long = Example(2, ({"role": "user", "content": "A"}, {"role": "assistant", "content": "BCBC"}))

    kept = describe([long], TrainingSettings.parse({"max_length": 10, "too_long": "truncate"}), tokenizer, 3)
    left = describe([long], TrainingSettings.parse({"max_length": 10, "too_long": "skip"}), tokenizer, 3)

    assert kept.learned_answer_share == 0.25
    assert (left.learned_answer_share, left.examples, left.token_count) == (0.0, [], 0)
