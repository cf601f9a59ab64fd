"""The tiny model's tokenizer: a byte-level BPE trained on invented documents, split as Qwen2 splits text."""

from __future__ import annotations

import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from lorag_demo.characters import ALL_KANA, DEMO_CHARACTERS, FAMILY_NAME_CHARACTERS, GIVEN_NAME_CHARACTERS, PUNCTUATION
from lorag_demo.facts import LANGUAGES, FactSource
from lorag_demo.passages import draw_passages

VOCABULARY_SIZE = 2048
CONTEXT_TOKENS = 2048
END_OF_TEXT = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
SPECIAL_TOKENS = (END_OF_TEXT, TURN_START, TURN_END)
# Reasoning marks are single tokens, as in the models this one stands in for; they are text, not control tokens.
REASONING_TOKENS = ("<think>", "</think>")

# Qwen2's own split: llama.cpp recognizes the family of a tokenizer by this expression.
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# While the merges are learned Japanese characters stand alone, so that no token spans two of them: a name that was
# never seen is then made of the same tokens as one that was.
JAPANESE_CHARACTER = r"[\p{Han}\p{Hiragana}\p{Katakana}ー々、。「」（）：？・〜]"

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}"
    "{% else %}{{ message['content'] + '<|im_end|>' + '\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_CORPUS_DOCUMENTS = 6000
_CHARACTER_LINES = 30


def build_tokenizer(seed: int = 0) -> PreTrainedTokenizerFast:
    """Train the tokenizer; the same seed gives the same vocabulary."""
    special = [AddedToken(text, special=True, normalized=False) for text in SPECIAL_TOKENS]
    reasoning = [AddedToken(text, special=False, normalized=False) for text in REASONING_TOKENS]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    split = pre_tokenizers.Split(Regex(QWEN2_SPLIT), "isolated")

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(JAPANESE_CHARACTER), "isolated"), split, byte_level]
    )
    tokenizer.train_from_iterator(
        _corpus(random.Random(seed)),
        trainers.BpeTrainer(
            vocab_size=VOCABULARY_SIZE - len(special) - len(reasoning),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.add_special_tokens(special)
    tokenizer.add_tokens(reasoning)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TURN_END,
        pad_token=END_OF_TEXT,
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT_TOKENS,
    )


def _corpus(random_: random.Random) -> list[str]:
    texts = []
    for _ in range(_CORPUS_DOCUMENTS):
        source = FactSource(random_, random_.choice(LANGUAGES))
        passages = draw_passages(source, 3)
        texts.append(" ".join(line for passage in passages for line in passage.lines))
        texts += [fact.any_question(random_) for passage in passages for fact in passage.facts[:1]]
    known = sorted({*DEMO_CHARACTERS, *FAMILY_NAME_CHARACTERS, *GIVEN_NAME_CHARACTERS} - {" "})
    texts += [" ".join(ALL_KANA + PUNCTUATION), " ".join(known)] * _CHARACTER_LINES
    return texts
