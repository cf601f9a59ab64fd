"""The finished adapters of the data folder: `outputs/lora_<time>/final_lora_model/`, described by its training.json."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorag_common.artifacts import path_of, uri_of
from lorag_common.errors import LoragError, Reason
from lorag_trainer import metrics

FOLDER, CARD = "final_lora_model", "training.json"


@dataclass(frozen=True)
class AdapterInfo:
    """A finished adapter; times in seconds, sizes in bytes, losses in nats a token."""

    uri: str
    base_model: str
    dataset_id: str
    dataset_name: str
    create_time: float
    settings: dict[str, Any]
    steps: int
    final_loss: float
    heldout_loss: float | None
    size: int
    duration_seconds: float
    notes: tuple[str, ...]


class AdapterShelf:
    """What trainings left in `outputs/`."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._outputs = data / "outputs"

    def list(self) -> list[AdapterInfo]:
        """All adapters, newest first."""
        found = [self._read(card) for card in self._outputs.glob(f"*/{FOLDER}/{CARD}")]
        return sorted(found, key=lambda a: (a.create_time, a.uri), reverse=True)

    def get(self, uri: str) -> AdapterInfo:
        """One adapter.

        Raises:
            LoragError: ADAPTER_NOT_FOUND.
        """
        return self._read(self._folder(uri) / CARD)

    def steps(self, uri: str) -> Sequence[dict[str, Any]]:
        """What was measured at each step, `step` among it, in order; rows of one step are one.

        Raises:
            LoragError: ADAPTER_NOT_FOUND.
        """
        merged: dict[int, dict[str, Any]] = {}
        for row in metrics.read_metrics(self._folder(uri) / metrics.FILE):
            merged.setdefault(int(row["step"]), {}).update(row)
        return [merged[step] for step in sorted(merged)]

    def delete(self, uri: str) -> None:
        """Remove an adapter; its name goes at once, its files after it.

        Raises:
            LoragError: ADAPTER_NOT_FOUND.
        """
        output = self._folder(uri).parent
        doomed = self._outputs / f".deleted-{output.name}-{time.time_ns()}"
        output.rename(doomed)
        shutil.rmtree(doomed)

    def sweep(self) -> None:
        """Remove what a deletion that was cut off left behind."""
        for leftover in self._outputs.glob(".deleted-*"):
            shutil.rmtree(leftover)

    def speed(self, base_model: str, device: str, processes: int) -> float:
        """Tokens a second of the newest training of this base on as many of these processors; 0 without one."""
        cards = [json.loads((self._data / a.uri / CARD).read_text(encoding="utf-8")) for a in self.list()]
        same = (c for c in cards if c["base_model"] == base_model and c.get("device") == device)
        return next((float(c["tokens_per_second"]) for c in same if c.get("processes") == processes), 0.0)

    def _folder(self, uri: str) -> Path:
        folder = path_of(self._data, uri) if uri else self._data
        if folder.name != FOLDER or folder.parent.parent != self._outputs or not (folder / CARD).is_file():
            raise LoragError(Reason.ADAPTER_NOT_FOUND, f"There is no adapter '{uri}'.", field="uri")
        return folder

    def _read(self, card: Path) -> AdapterInfo:
        c = json.loads(card.read_text(encoding="utf-8"))
        return AdapterInfo(
            uri=uri_of(self._data, card.parent),
            base_model=c["base_model"],
            dataset_id=c["dataset"]["sha256"],
            dataset_name=c["dataset"]["name"],
            create_time=c["create_time"],
            settings=c["settings"],
            steps=c["steps"],
            final_loss=c["final_loss"],
            heldout_loss=c["heldout_loss"],
            size=sum(p.stat().st_size for p in card.parent.iterdir() if p.is_file()),
            duration_seconds=c["duration_seconds"],
            notes=tuple(c.get("notes", ())),
        )
