"""The demo's fine-tuning data: chats in which the assistant answers from passages, politely and with a citation.

Values come from the training buckets and subjects are invented, so nothing in the demo's documents can occur here.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final

from lorag_common.artifacts import write_atomic
from lorag_common.prompts import Passage, build_messages
from lorag_demo.facts import LANGUAGES, FactSource, Language
from lorag_demo.passages import draw_passages

EXAMPLES: Final = 240
SEED: Final = 4242
PASSAGE_COUNTS: Final = (1, 2, 3)
SENTENCES: Final = (1, 3)

# Settings of the trainer that fit this data and the tiny base; larger models want a learning rate far lower.
DEMO_TRAINING: Final[dict[str, Any]] = {
    "max_steps": 40,
    "batch_size": 8,
    "gradient_accumulation": 1,
    "learning_rate": 1e-3,
    "warmup_steps": 5,
    "scheduler": "cosine",
    "r": 16,
    "lora_alpha": 32,
    "lora_dropout": 0.0,
    "max_length": 1024,
}


def chat_examples(count: int = EXAMPLES, seed: int = SEED) -> list[dict[str, list[dict[str, str]]]]:
    """`count` chats (system, user, assistant), Japanese and English by turns; the same seed gives the same chats."""
    random_ = random.Random(seed)
    return [_chat(random_, LANGUAGES[i % len(LANGUAGES)]) for i in range(count)]


def write_examples(path: Path, count: int = EXAMPLES, seed: int = SEED) -> None:
    """Write the chats as JSON lines, `{"messages": [...]}` each."""
    write_atomic(path, "".join(json.dumps(c, ensure_ascii=False) + "\n" for c in chat_examples(count, seed)))


def cited(sentence: str, number: int, language: Language) -> str:
    """A sentence with its citation, as the assistant writes it: `…です。[2]`, `… is 5. [2]`."""
    return f"{sentence}{' ' if language == 'en' else ''}[{number}]"


def _chat(random_: random.Random, language: Language) -> dict[str, list[dict[str, str]]]:
    source = FactSource(random_, language)
    drawn = draw_passages(source, random_.choice(PASSAGE_COUNTS), sentences=SENTENCES)
    number, fact = random_.choice([(n, fact) for n, passage in enumerate(drawn, 1) for fact in passage.facts])
    passages = [Passage("\n".join(passage.lines), "", 0) for passage in drawn]
    question = fact.any_question(random_)
    messages = build_messages(question, passages, nonce=f"{random_.getrandbits(32):08x}")
    messages.append({"role": "assistant", "content": cited(fact.polite, number, language)})
    return {"messages": messages}
