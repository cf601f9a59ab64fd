"""The release folders `releases/<model>/v<N>/` and their birth certificates."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lorag_common.artifacts import write_json
from lorag_common.errors import LoragError, Reason

MODEL_NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,63}$")
RELEASE_ID = re.compile(r"^([a-z0-9][a-z0-9._-]{0,63}):v([1-9][0-9]*)$")
CERTIFICATE = "release.json"


def require_model_name(name: str) -> str:
    """A model name that file systems and model servers take. LoragError INVALID_FIELD."""
    if not MODEL_NAME.match(name):
        raise LoragError(
            Reason.INVALID_FIELD,
            f"'{name}' is not a model name; use lower-case letters, digits, dots, dashes and underscores.",
            field="model",
        )
    return name


def folder_of(data: Path, release_id: str) -> Path:
    """A release's folder. LoragError RELEASE_NOT_FOUND when there is no such release."""
    match = RELEASE_ID.match(release_id)
    folder = data / "releases" / match[1] / f"v{match[2]}" if match else None
    if folder is None or not (folder / CERTIFICATE).is_file():
        raise LoragError(Reason.RELEASE_NOT_FOUND, f"There is no release '{release_id}'.", field="id")
    return folder


def load(data: Path, release_id: str) -> dict[str, Any]:
    """A release's certificate. LoragError RELEASE_NOT_FOUND."""
    folder = folder_of(data, release_id)
    return dict(json.loads((folder / CERTIFICATE).read_text(encoding="utf-8")))


def load_all(data: Path, model: str = "") -> list[dict[str, Any]]:
    """Every certificate, newest first."""
    found = [json.loads(p.read_text(encoding="utf-8")) for p in data.glob(f"releases/{model or '*'}/v*/{CERTIFICATE}")]
    return sorted(found, key=lambda r: (r["create_time"], r["version"]), reverse=True)


def next_version(data: Path, model: str) -> int:
    """One more than the highest version that is there or in the making."""
    taken = [
        int(p.name.removeprefix(".").split(".")[0].removeprefix("v")) for p in (data / "releases" / model).glob("*v*")
    ]
    return max(taken, default=0) + 1


def mark_published(data: Path, release_id: str, *, server: str, digest: str, **found: Any) -> None:
    """Note in the certificate where the release was imported, under which digest, and what was found there."""
    folder = folder_of(data, release_id)
    certificate = load(data, release_id)
    certificate["published"] = {"server": server, "name": release_id, "digest": digest, "time": now(), **found}
    write_json(folder / CERTIFICATE, certificate)


def now() -> str:
    """UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def modelfile(stop: list[str], temperature: float) -> str:
    """A Modelfile that `ollama create -f` accepts; the chat template is the GGUF's own."""
    lines = ["FROM ./model.gguf", f"PARAMETER temperature {temperature}"]
    lines += [f"PARAMETER stop {json.dumps(s, ensure_ascii=False)}" for s in stop]
    return "\n".join(lines) + "\n"
