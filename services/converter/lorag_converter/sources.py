"""Which weights a conversion takes: base, adapter and tokenizer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorag_common.errors import LoragError, Reason
from lorag_common.resolve import below_roots, require_base_model
from lorag_common.settings import ServiceSettings

FINAL = "final_lora_model"


@dataclass(frozen=True)
class Source:
    """A resolved choice. `base` is the base model as it was named; `adapter` a folder or None."""

    base: str
    adapter: Path | None

    @property
    def training(self) -> dict[str, Any]:
        """training.json of the adapter; empty for adapters made elsewhere."""
        path = self.adapter / "training.json" if self.adapter else None
        return json.loads(path.read_text(encoding="utf-8")) if path and path.exists() else {}


def newest_adapter(data: Path) -> Path:
    """The newest finished adapter below outputs/. LoragError ADAPTER_NOT_FOUND."""
    found = sorted(
        (p.parent for p in data.glob(f"outputs/*/{FINAL}/adapter_config.json")), key=lambda p: p.stat().st_mtime_ns
    )
    if not found:
        raise LoragError(
            Reason.ADAPTER_NOT_FOUND, "There is no finished adapter below outputs/.", field="source.adapter"
        )
    return found[-1]


def resolve(settings: ServiceSettings, *, path: str, base_only: bool, base_model: str) -> Source:
    """Decide base and adapter, and check that both are there.

    Raises:
        LoragError: ADAPTER_NOT_FOUND, BASE_MODEL_NOT_FOUND, INVALID_FIELD.
    """
    adapter: Path | None = None
    if base_only:
        if not base_model:
            raise LoragError(Reason.INVALID_FIELD, "base_only needs base_model.", field="source.base_model")
    elif path:
        adapter = below_roots(path, settings, "adapter_config.json")
        if adapter is None:
            raise LoragError(
                Reason.ADAPTER_NOT_FOUND,
                f"No adapter '{path}': no such folder with an adapter_config.json below data or model roots.",
                field="source.path",
            )
    else:
        adapter = newest_adapter(settings.data)
    source = Source(base_model or _base_of(adapter), adapter)
    require_base_model(source.base, settings)
    return source


def _base_of(adapter: Path | None) -> str:
    assert adapter is not None  # base_only without a base was refused
    trained = Source("", adapter).training.get("base_model")
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    return str(trained or config.get("base_model_name_or_path") or "")
