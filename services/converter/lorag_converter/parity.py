"""Tokenizer parity: the GGUF splits text into the same ids as the tokenizer that the model was trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lorag_common.errors import LoragError, Reason

PROBES = (
    "出張旅費の精算期限は帰社後5営業日である。[1]",
    "The deadline of the travel report is 5 business days. [2]",
    "青森館の定員は482人です。\n\nmixed 日本語 and English, 12,345円, e-mail@x.y!?",
    "  leading spaces\tand tabs\n",
    "長い文の中の　全角スペースと記号（％）・〜「」",
)


def check(gguf: Path, tokenizer_folder: Path) -> dict[str, Any]:
    """Compare ids of the probes and of a rendered conversation, special tokens included.

    Returns:
        How many were compared, for the certificate.

    Raises:
        LoragError: TOKENIZER_MISMATCH showing the first text that differs.
    """
    import llama_cpp
    from transformers import AutoTokenizer

    trained = AutoTokenizer.from_pretrained(str(tokenizer_folder))
    served = llama_cpp.Llama(str(gguf), vocab_only=True, verbose=False)
    texts = list(PROBES)
    if trained.chat_template:
        turns = [{"role": "user", "content": PROBES[0]}]
        texts.append(trained.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    for text in texts:
        wanted = trained(text, add_special_tokens=False)["input_ids"]
        given = served.tokenize(text.encode(), add_bos=False, special=True)
        if list(wanted) != list(given):
            raise LoragError(
                Reason.TOKENIZER_MISMATCH,
                f"The GGUF splits {text!r} into {given[:12]}, the training tokenizer into {wanted[:12]}.",
            )
    served.close()
    return {"texts": len(texts), "equal": True}


def stop_tokens(tokenizer_folder: Path, base: Path) -> list[str]:
    """Texts that end an answer: the tokenizer's end token and those that generation_config.json names."""
    import json

    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(tokenizer_folder))
    path = base / "generation_config.json"
    ids = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id", []) if path.exists() else []
    named = tokenizer.convert_ids_to_tokens(ids if isinstance(ids, list) else [ids])
    return list(dict.fromkeys(t for t in [tokenizer.eos_token, *named] if t))
