"""The finished adapters of the data folder: `outputs/lora_<time>/final_lora_model/`, described by its training.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from lorag_common.artifacts import uri_of

FOLDER, CARD = "final_lora_model", "training.json"


@dataclass(frozen=True)
class AdapterInfo:
    """A finished adapter; time in seconds since the epoch."""

    uri: str
    base_model: str
    dataset_id: str
    create_time: float


class AdapterShelf:
    """Reads what trainings left in `outputs/`."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def list(self) -> list[AdapterInfo]:
        """All adapters, newest first."""
        found = []
        for card in (self._data / "outputs").glob(f"*/{FOLDER}/{CARD}"):
            c = json.loads(card.read_text(encoding="utf-8"))
            uri = uri_of(self._data, card.parent)
            found.append(AdapterInfo(uri, c["base_model"], c["dataset"]["sha256"], c["create_time"]))
        return sorted(found, key=lambda a: (a.create_time, a.uri), reverse=True)
