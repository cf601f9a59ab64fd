"""The audit log: one JSON line for every request that could change something, in `state/audit.jsonl`. No bodies, no keys."""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = Path("state") / "audit.jsonl"
# A line has about 200 bytes; the file before is kept as audit.jsonl.1.
MOST_BYTES = 32 << 20


class Audit:
    """Appends and reads."""

    def __init__(self, data: Path) -> None:
        self._path = data / FILE
        self._lock = threading.Lock()

    def write(self, *, caller: str, name: str, method: str, path: str, status: int, request_id: str) -> None:
        """Note one request."""
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "caller": caller,
            "name": name,
            "method": method,
            "path": path,
            "status": status,
            "request_id": request_id,
        }
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size > MOST_BYTES:
                self._path.replace(self._path.with_suffix(".jsonl.1"))
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8") as f:
                f.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def read(self, limit: int) -> list[dict[str, Any]]:
        """The newest entries, newest first."""
        try:
            with self._path.open(encoding="utf-8") as f:
                lines = deque(f, maxlen=limit)
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in reversed(lines) if line.endswith("\n")]
