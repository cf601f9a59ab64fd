"""What a GGUF says of itself, read by llama.cpp without loading its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import llama_cpp

from lorag_runtime.errors import ApiError

FILE_TYPES = {
    str(value): name.removeprefix("LLAMA_FTYPE_").removeprefix("MOSTLY_").removeprefix("ALL_")
    for name, value in vars(llama_cpp).items()
    if name.startswith("LLAMA_FTYPE_") and isinstance(value, int)
}


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Details (Ollama's) and metadata of a GGUF.

    Raises:
        ApiError: 400 when llama.cpp cannot read it.
    """
    with path.open("rb") as f:
        if f.read(4) != b"GGUF":
            raise ApiError(400, "not a GGUF file")
    try:
        model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    except ValueError as error:
        raise ApiError(400, f"llama.cpp cannot read this GGUF: {error}") from error
    metadata: dict[str, Any] = dict(model.metadata)
    model.close()
    family = str(metadata.get("general.architecture", ""))
    details = {
        "parent_model": "",
        "format": "gguf",
        "family": family,
        "families": [family],
        "parameter_size": str(metadata.get("general.size_label", "")),
        "quantization_level": FILE_TYPES.get(str(metadata.get("general.file_type", "")), "unknown"),
    }
    return details, metadata


def context_length(metadata: dict[str, Any]) -> int:
    """Tokens of context that the model was trained with; 0 when it does not say."""
    return int(metadata.get(f"{metadata.get('general.architecture', '')}.context_length", 0))


def has_own_pooling(metadata: dict[str, Any]) -> bool:
    """Whether it is an embedding model, which names its way of pooling."""
    return f"{metadata.get('general.architecture', '')}.pooling_type" in metadata
