"""Prompt parity: the GGUF renders and splits a conversation into the ids that the training tokenizer makes of it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from lorag_common.errors import LoragError, Reason

TEXTS = (
    "出張旅費の精算期限は帰社後5営業日である。[1]",
    "The deadline of the travel report is 5 business days. [2]",
    "青森館の定員は482人です。\n\nmixed 日本語 and English, 12,345円, e-mail@x.y!?",
    "  leading spaces\tand tabs\n",
    "長い文の中の　全角スペースと記号（％）・〜「」",
)
_ASK = {"role": "user", "content": TEXTS[0]}
_REASONED = {"role": "assistant", "content": "<think>\n期限を探す。\n</think>\n\n" + TEXTS[0]}
CONVERSATIONS: dict[str, list[dict[str, str]]] = {
    "one question": [_ASK],
    "a system text": [{"role": "system", "content": "資料だけから答える。"}, _ASK],
    "several turns": [_ASK, {"role": "assistant", "content": TEXTS[1]}, {"role": "user", "content": TEXTS[2]}],
    "reasoning": [_ASK, _REASONED, {"role": "user", "content": TEXTS[1]}],
}


def check(gguf: Path, tokenizer_folder: Path) -> dict[str, Any]:
    """Hold the GGUF's vocabulary, chat template, BOS handling and end token against the training tokenizer's.

    Conversations are compared as generation prompts, because that is where an answer begins.

    Returns:
        How many texts and conversations were compared, for the certificate.

    Raises:
        LoragError: TOKENIZER_MISMATCH with the first token that differs.
    """
    import llama_cpp
    from transformers import AutoTokenizer

    trained = AutoTokenizer.from_pretrained(str(tokenizer_folder))
    served = llama_cpp.Llama(str(gguf), vocab_only=True, verbose=False)
    try:
        for text in TEXTS:
            for plain in (True, False):
                # With special tokens a BOS that only one side adds shows at position 0.
                wanted = trained(text, add_special_tokens=not plain)["input_ids"]
                _compare(
                    trained, repr(text[:20]), wanted, served.tokenize(text.encode(), add_bos=not plain, special=plain)
                )
        if trained.eos_token_id is not None and trained.eos_token_id != served.token_eos():
            raise LoragError(
                Reason.TOKENIZER_MISMATCH,
                f"An answer ends with token {trained.eos_token_id} in training and {served.token_eos()} in the GGUF.",
            )
        rendered = 0
        if trained.chat_template:
            rendered = _check_conversations(trained, served)
    finally:
        served.close()
    return {"texts": len(TEXTS), "conversations": rendered, "equal": True}


def _check_conversations(trained: Any, served: Any) -> int:
    template = served.metadata.get("tokenizer.chat_template")
    if not template:
        raise LoragError(Reason.TOKENIZER_MISMATCH, "The training tokenizer has a chat template, the GGUF has none.")
    compared = 0
    for name, messages in CONVERSATIONS.items():
        wanted, given = render(trained, messages, None), render(trained, messages, template)
        if (wanted is None) != (given is None):
            raise LoragError(
                Reason.TOKENIZER_MISMATCH, f"Only one of the two templates takes a conversation with {name}."
            )
        if wanted is not None and given is not None:
            ids = trained(wanted, add_special_tokens=False)["input_ids"]
            _compare(trained, name, ids, served.tokenize(given.encode(), add_bos=False, special=True))
            compared += 1
    return compared


def render(tokenizer: Any, messages: list[dict[str, str]], template: str | None) -> str | None:
    """The generation prompt; None where the template refuses such a conversation."""
    from jinja2.exceptions import TemplateError

    try:
        return str(
            tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False, add_generation_prompt=True)
        )
    except TemplateError:
        return None


def _compare(tokenizer: Any, what: str, wanted: list[int], given: list[int]) -> None:
    for position, (a, b) in enumerate(itertools.zip_longest(wanted, given)):
        if a != b:
            raise LoragError(
                Reason.TOKENIZER_MISMATCH,
                f"For {what}, token {position} is {_name(tokenizer, a)} in training and {_name(tokenizer, b)} in the GGUF.",
            )


def _name(tokenizer: Any, token: int | None) -> str:
    return "missing" if token is None else f"{tokenizer.decode([token])!r} ({token})"


def stop_tokens(tokenizer_folder: Path, base: Path) -> list[str]:
    """Texts that end an answer: the tokenizer's end token and those that generation_config.json names."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(tokenizer_folder))
    path = base / "generation_config.json"
    ids = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id", []) if path.exists() else []
    named = tokenizer.convert_ids_to_tokens(ids if isinstance(ids, list) else [ids])
    return list(dict.fromkeys(t for t in [tokenizer.eos_token, *named] if t))
