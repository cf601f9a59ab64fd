"""Attacks from within passages, in Japanese and English: `tests/data/injection.jsonl`, against the prompt that is really sent.

The released model's tokenizer, llama.cpp's tokenizer of the GGUF (what the embedded runtime and Ollama split a raw prompt
by), and tokenizers with the control tokens of other model families are all asked the same thing: which control tokens does
the prompt hold? They must be those of the same prompt with harmless passages.
"""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import llama_cpp
import pytest
from conftest import TINY_BASE
from qa_parts import write_release
from tokenizers import AddedToken, Tokenizer

from lorag_common.neutral import neutralize
from lorag_common.prompts import OPEN, Passage, Turn, build_messages
from lorag_qa import releases
from lorag_qa.prompt import prepare
from lorag_qa.suspicion import is_suspicious

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "injection.jsonl").read_text("utf-8").splitlines()
]
NONCE = "5eed0bad"
QUESTIONS = {"ja": "料金はいくらですか。", "en": "What is the fee?"}
FAMILIES = {
    "deepseek": ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"],
    "llama": ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<s>", "</s>", "[INST]", "[/INST]"],
    "gemma": ["<bos>", "<eos>", "<pad>", "<unk>", "<start_of_turn>", "<end_of_turn>"],
    "phi": ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<tool_call>", "</tool_call>", "<|endoftext|>"],
}  # fmt: skip
by_id = pytest.mark.parametrize("case", CASES, ids=[c["id"] for c in CASES])


def attack(case: dict[str, str]) -> str:
    """The case's text; `{nonce}` stands for the worst of luck, a document that knows the nonce."""
    return case["text"].replace("{nonce}", NONCE)


def passages(text: str) -> list[Passage]:
    return [
        Passage("料金は5円である。", "a.pdf", 1),
        Passage(text, "b.pdf", 2),
        Passage("The fee is 5 yen.", "c.pdf", 3),
    ]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> releases.Release:
    data = tmp_path_factory.mktemp("data")
    write_release(data, "tiny:v1", TINY_BASE)
    return releases.get(data, "tiny:v1")


@pytest.fixture(scope="module")
def vocabulary(tiny_gguf: Path) -> Any:
    model = llama_cpp.Llama(str(tiny_gguf), vocab_only=True, verbose=False)
    yield model
    model.close()


def test_the_corpus_is_large_and_in_both_languages() -> None:
    assert len(CASES) >= 60
    assert all(sum(c["language"] == language for c in CASES) >= 25 for language in ("ja", "en"))
    assert len({c["id"] for c in CASES}) == len(CASES)


@by_id
def test_the_delimiters_are_never_broken(case: dict[str, str]) -> None:
    given = passages(attack(case))
    for language, question in QUESTIONS.items():
        user = build_messages(question, given, NONCE)[-1]["content"]
        first, *lines, last, asked = user.split("\n")
        assert user.splitlines() == user.split("\n"), "no other line end is left"
        assert first == OPEN[language].format(nonce=NONCE)
        assert len(lines) == len(given), "each passage is one line"
        assert NONCE in last and asked.endswith(question)
        for number, line in enumerate(lines, start=1):
            assert set(_marks(line)) == {number}, "only our own marks look like marks"


def _marks(line: str) -> list[int]:
    return [int(n) for n in re.findall(r"\[\s*(\d+)\s*\]", unicodedata.normalize("NFKC", line))]


@by_id
def test_no_control_token_of_a_passage_reaches_the_model(
    case: dict[str, str], release: releases.Release, vocabulary: Any
) -> None:
    question = QUESTIONS[case["language"]]
    history = [Turn("user", attack(case)), Turn("assistant", attack(case))]
    # `prepare` itself refuses a prompt whose control tokens are not the template's; it must not have to.
    prompt = prepare(release, question, passages(attack(case)), history, 8000)
    harmless = prepare(release, question, passages("x"), [Turn("user", "x"), Turn("assistant", "y")], 8000)
    assert prompt.turns == harmless.turns
    assert release.control_tokens(prompt.text) == release.control_tokens(harmless.text)
    ids = [_control_ids(vocabulary, p.text) for p in (prompt, harmless)]
    assert ids[0] == ids[1]
    assert ids[0], "the template's own are seen"


def _control_ids(vocabulary: Any, text: str) -> list[int]:
    vocab = llama_cpp.llama_model_get_vocab(vocabulary.model)
    special = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED
    ids = vocabulary.tokenize(text.encode(), add_bos=False, special=True)
    return [i for i in ids if llama_cpp.llama_vocab_get_attr(vocab, i) & special]


@pytest.mark.parametrize("family", FAMILIES)
def test_nor_in_the_spelling_of_other_model_families(family: str, release: releases.Release) -> None:
    tokenizer = Tokenizer.from_str(release.tokenizer.to_str())
    for normalized in (False, True):
        tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=normalized) for t in FAMILIES[family]])
        added = {i for i, t in tokenizer.get_added_tokens_decoder().items() if t.content in FAMILIES[family]}
        assert added
        for case in CASES:
            for message in build_messages(QUESTIONS["ja"], passages(attack(case)), NONCE):
                ids = tokenizer.encode(message["content"], add_special_tokens=False).ids
                assert not added & set(ids), case["id"]


@pytest.mark.parametrize("token", ["<<SECRET>>", "◁turn▷", "[CTRL_7]", "＜turn＞"])
def test_a_models_own_unusual_control_tokens_are_broken_too(token: str) -> None:
    for text in (token, f"a{token}{token}b", token.upper()):
        assert token not in neutralize(text, [token])
    assert neutralize(f"a{token}b", [token]).replace(" ", "") == f"a{token}b", "and nothing else is changed"


@pytest.mark.parametrize(
    "text", ["x < 3 and y > 2", "a|b|c", "配列[0]の値", "<div>段落</div>", "f(x) |> g", "10 % < 20 %"]
)
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert neutralize(text) == text
    assert not is_suspicious(text)


def test_most_attacks_are_marked_for_the_reader() -> None:
    marked = [c for c in CASES if c["kind"] in ("order", "control", "evasion") and is_suspicious(attack(c))]
    asked = [c for c in CASES if c["kind"] in ("order", "control", "evasion")]
    assert len(marked) / len(asked) >= 0.9
