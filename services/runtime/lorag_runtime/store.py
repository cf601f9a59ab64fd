"""Blobs by digest and one small JSON manifest per model name."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from lorag_common.artifacts import write_json
from lorag_runtime.errors import ApiError, model_missing

DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
NAME = re.compile(r"^[A-Za-z0-9][\w.\-/]{0,127}(:[\w.\-]{1,64})?$")


@dataclass(frozen=True)
class Manifest:
    """One model name: its weights' digest and size in bytes, and how it is to be run."""

    name: str
    digest: str
    size: int
    modified_at: str
    system: str = ""
    license: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    model_info: dict[str, Any] = field(default_factory=dict)


def full_name(name: str) -> str:
    """A name with its tag; `latest` when there is none. ApiError 400 for a name that cannot be."""
    if not NAME.match(name):
        raise ApiError(400, f"invalid model name '{name}'")
    return name if ":" in name else f"{name}:latest"


class Store:
    """A folder with `blobs/` and `manifests/`; every file appears there only when whole."""

    def __init__(self, folder: Path) -> None:
        self.blobs = folder / "blobs"
        self.manifests = folder / "manifests"
        self.blobs.mkdir(parents=True, exist_ok=True)
        self.manifests.mkdir(parents=True, exist_ok=True)
        # What a killed server was still being sent; its sender sends it again.
        for half in self.blobs.glob(".upload-*"):
            half.unlink(missing_ok=True)

    def blob(self, digest: str) -> Path:
        """Where a digest's bytes are, or would be. ApiError 400 for a malformed digest."""
        if not DIGEST.match(digest):
            raise ApiError(400, f"invalid digest '{digest}'")
        return self.blobs / digest.replace(":", "-")

    async def write_blob(self, digest: str, chunks: AsyncIterator[bytes]) -> None:
        """Store bytes under their digest. ApiError 400 when they are others than announced; then nothing is kept."""
        target = self.blob(digest)
        fd, temporary = tempfile.mkstemp(dir=self.blobs, prefix=".upload-")
        hasher = hashlib.sha256()
        try:
            with os.fdopen(fd, "wb") as f:
                async for chunk in chunks:
                    hasher.update(chunk)
                    f.write(chunk)
                f.flush()
                os.fsync(f.fileno())
            if f"sha256:{hasher.hexdigest()}" != digest:
                raise ApiError(400, "digest mismatch: the bytes are not those that the digest names")
            os.replace(temporary, target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def get(self, name: str) -> Manifest:
        """A model by name. ApiError 404."""
        try:
            raw = json.loads(self._path(full_name(name)).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise model_missing(name) from None
        return Manifest(**raw)

    def all(self) -> list[Manifest]:
        """Every model, latest change first."""
        names = [unquote(p.stem) for p in self.manifests.glob("*.json")]
        return sorted((self.get(n) for n in names), key=lambda m: m.modified_at, reverse=True)

    def put(self, manifest: Manifest) -> None:
        """Write a model's manifest, over one of the same name."""
        write_json(self._path(manifest.name), asdict(manifest))

    def copy(self, source: str, destination: str) -> None:
        """Give a model a second name. ApiError 404."""
        self.put(replace(self.get(source), name=full_name(destination), modified_at=now()))

    def delete(self, name: str) -> None:
        """Remove a name, and its blob when no other name uses it. ApiError 404."""
        manifest = self.get(name)
        self._path(manifest.name).unlink()
        if all(m.digest != manifest.digest for m in self.all()):
            self.blob(manifest.digest).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.manifests / f"{quote(name, safe='')}.json"


def now() -> str:
    """The time as Ollama writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
