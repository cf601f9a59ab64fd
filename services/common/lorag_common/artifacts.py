"""Files that others rely on: written under their final name only when complete, with their sha256."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lorag_common.errors import LoragError, Reason

READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Artifact:
    """A finished file: its path below the data folder, the sha256 of its bytes, its size in bytes."""

    uri: str
    sha256: str
    size: int

    @classmethod
    def of(cls, data: Path, path: Path, sha256: str | None = None) -> Artifact:
        """Describe a finished file; hashes it unless the hash is known already."""
        return cls(uri_of(data, path), sha256 or sha256_file(path), path.stat().st_size)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def sha256_file(path: Path) -> str:
    """sha256 of a file's bytes, lower-case hex."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a whole file: to a temporary name beside it, flushed to disk, then renamed over `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    payload = content.encode() if isinstance(content, str) else content
    fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "wb") as f:
            f.write(payload)
            f.flush()
            os.fsync(f.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write a value as readable JSON, atomically."""
    write_atomic(path, json.dumps(value, ensure_ascii=False, indent=2, sort_keys=False) + "\n")


def uri_of(data: Path, path: Path) -> str:
    """Path below the data folder, with forward slashes."""
    return path.resolve().relative_to(data.resolve()).as_posix()


def path_of(data: Path, uri: str) -> Path:
    """The file of a URI; INVALID_FIELD when it points outside the data folder."""
    path = (data / uri).resolve()
    if not path.is_relative_to(data.resolve()):
        raise LoragError(Reason.INVALID_FIELD, f"'{uri}' is not below the data folder.", field="uri")
    return path
