"""Which of llama.cpp's pre-tokenizers a model needs.

llama.cpp recognises a tokenizer by a hash over encoded text, which any edit of the vocabulary changes (an added token,
a home-made vocabulary). The splitting pattern in tokenizer.json does not depend on the vocabulary and names the family.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lorag_common.errors import LoragError, Reason

# sha256 of the joined splitting patterns -> llama.cpp's name.
_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3 = _QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)
FAMILIES = {_QWEN2: "qwen2", _LLAMA3: "llama-bpe"}


def patterns(tokenizer: dict[str, Any]) -> list[str]:
    """The splitting patterns of a tokenizer.json, in order."""
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "Split" and "Regex" in node.get("pattern", {}):
                found.append(node["pattern"]["Regex"])
            for inner in node.get("pretokenizers", []):
                walk(inner)

    walk(tokenizer.get("pre_tokenizer"))
    return found


def by_pattern(folder: Path) -> str:
    """llama.cpp's name of the pre-tokenizer.

    Raises:
        LoragError: ARCHITECTURE_UNSUPPORTED when the pattern belongs to no known family.
    """
    found = patterns(json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")))
    for pattern in found:
        if pattern in FAMILIES:
            return FAMILIES[pattern]
    mark = hashlib.sha256("\n".join(found).encode()).hexdigest()[:12]
    raise LoragError(
        Reason.ARCHITECTURE_UNSUPPORTED, f"llama.cpp knows no pre-tokenizer like this model's (pattern {mark})."
    )
