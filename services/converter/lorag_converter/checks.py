"""What is refused before any work begins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lorag_common.errors import LoragError, Reason
from lorag_converter.architectures import SUPPORTED


def read_config(base: Path) -> dict[str, Any]:
    """config.json of a base model. LoragError BASE_MODEL_NOT_FOUND or BASE_MODEL_UNREADABLE."""
    try:
        config: dict[str, Any] = json.loads((base / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LoragError(Reason.BASE_MODEL_NOT_FOUND, f"There is no config.json in '{base.name}'.") from None
    except json.JSONDecodeError as error:
        raise LoragError(Reason.BASE_MODEL_UNREADABLE, f"config.json of '{base.name}' is not JSON: {error}") from error
    return config


def tensor_names(base: Path) -> list[str]:
    """Names of all tensors in a base's safetensors, from their headers. LoragError BASE_MODEL_UNREADABLE."""
    names: list[str] = []
    files = sorted(base.glob("*.safetensors"))
    if not files:
        raise LoragError(Reason.BASE_MODEL_UNREADABLE, f"There are no .safetensors files in '{base.name}'.")
    for path in files:
        try:
            with path.open("rb") as f:
                names += json.loads(f.read(int.from_bytes(f.read(8), "little")))
        except (json.JSONDecodeError, UnicodeDecodeError, MemoryError, OverflowError) as error:
            raise LoragError(Reason.BASE_MODEL_UNREADABLE, f"The header of {path.name} is damaged.") from error
    return [n for n in names if n != "__metadata__"]


def require_unquantized(base: Path) -> None:
    """Refuse a base that is quantized already: its `absmax` tensors have no place in a GGUF.

    Raises:
        LoragError: BASE_MODEL_QUANTIZED.
    """
    method = (read_config(base).get("quantization_config") or {}).get("quant_method")
    absmax = next(
        (n for n in tensor_names(base) if n.endswith((".absmax", ".quant_map", ".SCB")) or "quant_state" in n), ""
    )
    if method or absmax:
        what = f"by {method}" if method else f"(it holds '{absmax}')"
        raise LoragError(
            Reason.BASE_MODEL_QUANTIZED,
            f"The base model '{base.name}' is already quantized {what}; such weights cannot be mapped to GGUF "
            f"(llama.cpp would say: Can not map tensor '{absmax or '….absmax'}').",
            field="base_model",
        )


def require_architecture(base: Path) -> str:
    """The architecture's name, when the converter vouches for it. LoragError ARCHITECTURE_UNSUPPORTED."""
    name = str((read_config(base).get("architectures") or ["none"])[0])
    if name not in SUPPORTED:
        raise LoragError(
            Reason.ARCHITECTURE_UNSUPPORTED,
            f"The converter does not support the architecture {name}; docs/architectures.md lists those it does.",
        )
    return name
