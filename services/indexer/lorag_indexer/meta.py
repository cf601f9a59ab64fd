"""What an index belongs to, and which index serves: `index/meta.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lorag_common.artifacts import write_json
from lorag_indexer.chunks import ChunkSettings
from lorag_indexer.embedder import EmbedderIdentity


@dataclass(frozen=True)
class IndexMeta:
    """What made an index; when any of embedder, tokenizer or chunking changes, it takes another one.

    Attributes:
        table: its name in the store.
        create_time: in seconds since the epoch.
    """

    table: str
    embedder: EmbedderIdentity
    tokenizer: str
    chunking: ChunkSettings
    create_time: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> IndexMeta:
        """Inverse of `as_dict`."""
        return cls(
            d["table"],
            EmbedderIdentity(**d["embedder"]),
            d["tokenizer"],
            ChunkSettings.from_dict(d["chunking"]),
            d.get("create_time", 0.0),
        )


@dataclass(frozen=True)
class Indexes:
    """The index that serves, and the one before it."""

    serving: IndexMeta | None = None
    previous: IndexMeta | None = None

    @property
    def tables(self) -> set[str]:
        """Names of both."""
        return {meta.table for meta in (self.serving, self.previous) if meta is not None}

    def save(self, path: Path) -> None:
        """Write them, at once: whoever reads sees either the old pair or the new one."""
        previous = self.previous.as_dict() if self.previous else None
        write_json(path, (self.serving.as_dict() if self.serving else {}) | {"previous": previous})

    @classmethod
    def load(cls, path: Path) -> Indexes:
        """Read them; both None when there is no file yet."""
        try:
            d = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls()
        previous = d.get("previous")
        return cls(IndexMeta.from_dict(d), IndexMeta.from_dict(previous) if previous else None)
