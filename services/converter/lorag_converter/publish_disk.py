"""What a publication needs of the model server's disk, and what older versions hold of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lorag_common.errors import LoragError, Reason
from lorag_common.model_server import ModelServer

# Ollama rewrites a GGUF on import: upload, rewritten copy and the blob in its place are there at once.
OLLAMA_COPIES = 3
EMBEDDED = "lorag"


def needed(server: ModelServer, certificate: dict[str, Any]) -> int:
    """Bytes at the import's peak; 0 when the server has the blob. LoragError MODEL_SERVER_UNAVAILABLE."""
    embedded = EMBEDDED in server.version()
    if server.has_blob(certificate["gguf"]["sha256"]) and embedded:
        return 0
    return int(certificate["gguf"]["size"]) * (1 if embedded else OLLAMA_COPIES)


def require_room(server: ModelServer, size: int, data: Path) -> None:
    """Refuse what is known not to fit. LoragError DISK_FULL."""
    free = free_bytes(server, data)
    if free is not None and size > free:
        raise LoragError(
            Reason.DISK_FULL,
            f"The model server needs {size >> 20} MiB of disk for the import, and {free >> 20} MiB are free.",
            remedy="Remove models that are not needed (`ollama rm`), or free disk space where the server keeps its models.",
        )


def free_bytes(server: ModelServer, data: Path) -> int | None:
    """Free disk where the server keeps its models; None when that is on another machine or not known."""
    if urlsplit(server.url).hostname not in ("127.0.0.1", "localhost", "::1"):
        return None
    if EMBEDDED in server.version():
        folder = Path(os.environ.get("LORAG_RUNTIME_STORE", data / "runtime"))
    else:
        folder = Path(os.environ.get("OLLAMA_MODELS", "~/.ollama/models")).expanduser()
    return shutil.disk_usage(folder).free if folder.is_dir() else None


def others(server: ModelServer, release_id: str) -> tuple[list[str], int]:
    """The other versions of a model on the server, and their bytes; a blob that two names share counts once."""
    model = release_id.partition(":")[0]
    found = {n: (d, s) for n, (d, s) in server.sizes().items() if n.startswith(f"{model}:v") and n != release_id}
    return sorted(found), sum(dict(found.values()).values())
