"""The thread that writes: computing goes on while bytes go to disk, and what is on disk is noted in the journal."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

# So much may wait for fdatasync, with the names of the tensors that it holds.
SYNC_BYTES = 64 << 20


class Output:
    """An open output file and its journal.

    Attributes:
        durable: names of tensors that are on disk and in the journal, in the order of `finish`.
        waited: seconds that callers of `put` and `close` waited for the disk.
    """

    def __init__(self, target: Path, journal: Path, size: int, *, waiting: int) -> None:
        """Make `target` `size` bytes long. At most `waiting` slabs are held in memory."""
        self.durable: list[str] = []
        self.waited = 0.0
        self._journal = journal
        self._queue: queue.Queue[tuple[int, Any] | str | None] = queue.Queue(waiting)
        self._error: OSError | None = None
        self._unsynced = 0
        self._pending: list[str] = []
        self._lock = threading.Lock()
        self._fd = os.open(target, os.O_RDWR)
        os.ftruncate(self._fd, size)
        self._thread = threading.Thread(target=self._run, name="output")
        self._thread.start()

    def put(self, where: int, payload: Any) -> None:
        """Write a uint8 array at a position, some time. Raises the OSError of an earlier write."""
        self._send((where, payload))

    def finish(self, name: str) -> None:
        """All of a tensor was put; it is noted once it is on disk."""
        self._send(name)

    def _send(self, item: tuple[int, Any] | str) -> None:
        started = time.perf_counter()
        self._queue.put(item)
        with self._lock:
            self.waited += time.perf_counter() - started
        if self._error:
            raise self._error

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        started = time.perf_counter()
        self._queue.put(None)
        self._thread.join()
        os.close(self._fd)
        self.waited += time.perf_counter() - started
        if self._error and error is None:
            raise self._error

    def _run(self) -> None:
        while True:
            item = self._queue.get()
            try:
                if item is None:
                    self._sync()
                    return
                if self._error is None:
                    self._take(item)
            except OSError as error:
                self._error = error
                if item is None:
                    return

    def _take(self, item: tuple[int, Any] | str) -> None:
        if isinstance(item, str):
            self._pending.append(item)
            if self._unsynced >= SYNC_BYTES or self._queue.empty():
                self._sync()
            return
        where, payload = item
        view = memoryview(payload)
        self._unsynced += len(view)
        while view:
            written = os.pwrite(self._fd, view, where)
            view, where = view[written:], where + written

    def _sync(self) -> None:
        if self._error is None and self._pending:
            os.fdatasync(self._fd)
            remember(self._journal, *self._pending)
            self.durable += self._pending
            self._pending, self._unsynced = [], 0


def remember(journal: Path, *names: str) -> None:
    """Add lines to a journal, and have them on disk."""
    with journal.open("a", encoding="utf-8") as f:
        f.write("".join(json.dumps(name) + "\n" for name in names))
        f.flush()
        os.fsync(f.fileno())


def remembered(journal: Path) -> list[str]:
    """A journal's lines; the last one may be half written, and then does not count."""
    if not journal.exists():
        return []
    entries: list[str] = []
    for line in journal.read_text(encoding="utf-8").splitlines():
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return entries
