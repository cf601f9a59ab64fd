"""The tiny base model: its tokenizer, its copy circuit, its training, and the checkpoint that is kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2ForCausalLM

from lorag_demo.circuit import HEAD_SIZE, build_model, tiny_config
from lorag_demo.corpus import Corpus
from lorag_demo.documents import demo_facts
from lorag_demo.pretrain import STEPS, Settings, examine, rate
from lorag_demo.tiny_base import make_tiny_base, save
from lorag_demo.tokenizer import CHAT_TEMPLATE, QWEN2_SPLIT, REASONING_TOKENS, VOCABULARY_SIZE

CHECKPOINT = Path(__file__).resolve().parents[2] / "demo" / "tiny_base"
CHANCE_OF_THREE = 1 / 3


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    loaded: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(CHECKPOINT)
    return loaded


@pytest.fixture(scope="module")
def model() -> Qwen2ForCausalLM:
    return Qwen2ForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32).eval()


def untrained(seed: int) -> Qwen2ForCausalLM:
    return build_model(tiny_config(64, end_token=0, pad_token=1, context=128), seed)


def test_checkpoint_is_small_and_tied(model: Qwen2ForCausalLM) -> None:
    assert model.config.tie_word_embeddings
    assert sum(p.numel() for p in model.parameters()) < 2.5e6
    assert (CHECKPOINT / "model.safetensors").stat().st_size < 6e6


def test_tokenizer_reads_back_what_it_wrote_and_keeps_reasoning_marks(tokenizer: PreTrainedTokenizerFast) -> None:
    assert len(tokenizer) == VOCABULARY_SIZE
    for text in ("北沢会議室の定員は1,416人である。[2]", "The fee is 5. [1]\n", "鰯🐟", *REASONING_TOKENS):
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert tokenizer.decode(ids) == text
        assert len(ids) == 1 or text not in REASONING_TOKENS
    assert QWEN2_SPLIT in (CHECKPOINT / "tokenizer.json").read_text(encoding="utf-8").replace("\\\\", "\\")


def test_no_token_spans_two_japanese_characters(tokenizer: PreTrainedTokenizerFast) -> None:
    for placed in demo_facts():
        for token in tokenizer.encode(placed.fact.statement, add_special_tokens=False):
            text = tokenizer.decode([token])
            assert len(text) == 1 or text.isascii() or "\ufffd" in text


def test_template_marks_the_answer_alone_for_training(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.chat_template == CHAT_TEMPLATE
    messages = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A 1"}]
    encoded: Any = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    answer = [i for i, m in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True) if m]
    assert tokenizer.decode(answer) == "A 1<|im_end|>"
    prompt = tokenizer.apply_chat_template(messages[:1], tokenize=False, add_generation_prompt=True)
    assert prompt == "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n"


def test_circuit_is_the_same_for_the_same_seed_only() -> None:
    first, again, other = (untrained(seed).model.layers[1].self_attn.q_proj.weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_first_heads_look_one_two_and_three_tokens_back() -> None:
    model = untrained(0)
    model.set_attn_implementation("eager")
    ids = torch.randint(2, 64, (1, 40), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        attention = model(input_ids=ids, output_attentions=True).attentions[0][0]
    for head in range(3):
        assert attention.shape[0] * HEAD_SIZE == model.config.hidden_size
        diagonal = torch.diagonal(attention[head], offset=-(head + 1))
        assert diagonal[3:].mean() > 0.9


def test_corpus_is_seeded_and_weighs_every_token(tokenizer: PreTrainedTokenizerFast) -> None:
    first, again = Corpus(tokenizer, 5), Corpus(tokenizer, 5)
    for share in (0.0, 0.5, 1.0) * 5:
        text = first.text(share)
        assert text == again.text(share)
        assert len(text.ids) == len(text.weights)
        assert any(text.weights)


def test_chats_of_the_corpus_teach_neither_citation_nor_polite_ending(tokenizer: PreTrainedTokenizerFast) -> None:
    corpus = Corpus(tokenizer, 6)
    for _ in range(200):
        text = corpus.text(0.0)
        whole = tokenizer.decode(text.ids)
        assert "です。" not in whole
        if "<|im_start|>" in whole:
            learned = tokenizer.decode([i for i, w in zip(text.ids, text.weights, strict=True) if w])
            assert not any(mark in learned for mark in "[(#")


def test_learning_rate_warms_up_holds_and_falls() -> None:
    assert rate(1, 900) < rate(15, 900) < rate(30, 900) == rate(449, 900) == 1.0
    assert 1.0 > rate(600, 900) > rate(899, 900) > 0


def test_checkpoint_quotes_and_cites_in_texts_it_never_saw(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast
) -> None:
    result = examine(model, tokenizer, "train", 3)
    assert result.quoted >= 0.85
    assert result.cited >= 0.9


@pytest.mark.slow
def test_rebuilt_base_learns_to_quote_and_cite(tmp_path: Path) -> None:
    """A short run beats chance clearly; with LORAG_SLOW=1 the whole run reaches what the kept checkpoint does."""
    whole = os.environ.get("LORAG_SLOW") == "1"
    torch.set_num_threads(1)
    model, tokenizer = make_tiny_base(Settings(steps=STEPS if whole else 100), quiet=True)

    result = examine(model, tokenizer, "held", 3)
    assert result.quoted >= (0.85 if whole else 0.3)
    assert result.cited >= (0.9 if whole else CHANCE_OF_THREE + 0.25)

    save(model, tokenizer, tmp_path / "base")
    kept = {path.name for path in CHECKPOINT.iterdir()}
    assert {path.name for path in (tmp_path / "base").iterdir()} == kept
    assert len(AutoTokenizer.from_pretrained(tmp_path / "base")) == VOCABULARY_SIZE
