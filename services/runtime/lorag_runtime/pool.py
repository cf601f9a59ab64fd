"""Models in memory: loaded when asked for, the longest unused one dropped when there is no room, unloaded when idle."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from lorag_runtime.engine import Engine
from lorag_runtime.store import Manifest, Store

DEFAULT_KEEP_ALIVE = 300.0


@dataclass
class Loaded:
    """A model in memory; `expires` on the monotonic clock, in seconds."""

    manifest: Manifest
    engine: Engine
    expires: float
    users: int = 0


class Pool:
    """At most `max_loaded` engines, each for a digest, a purpose and a context."""

    def __init__(self, store: Store, threads: int, max_loaded: int, num_ctx: int) -> None:
        self._store, self._threads, self._max = store, threads, max_loaded
        self.num_ctx = num_ctx
        self._loaded: OrderedDict[tuple[str, bool, int], Loaded] = OrderedDict()
        self._lock = threading.Lock()

    def acquire(self, manifest: Manifest, *, embedding: bool, num_ctx: int, keep_alive: float) -> tuple[Engine, int]:
        """An engine, loaded if need be, and the nanoseconds that loading took. Pair it with `release`."""
        key = (manifest.digest, embedding, num_ctx)
        started = time.perf_counter_ns()
        with self._lock:
            entry = self._loaded.get(key)
            if entry is None:
                self._make_room(key)
                path = self._store.blob(manifest.digest)
                engine = Engine(path, manifest.model_info, num_ctx, self._threads, embedding)
                entry = self._loaded[key] = Loaded(manifest, engine, 0.0)
            self._loaded.move_to_end(key)
            entry.users += 1
            entry.expires = time.monotonic() + keep_alive
        return entry.engine, time.perf_counter_ns() - started

    def release(self, engine: Engine) -> None:
        """The call is over; an engine whose time is up is dropped."""
        with self._lock:
            for entry in self._loaded.values():
                if entry.engine is engine:
                    entry.users -= 1
        self.expire()

    def unload(self, digest: str) -> None:
        """Drop every engine of a model as soon as nobody uses it."""
        with self._lock:
            for (loaded, *_), entry in self._loaded.items():
                if loaded == digest:
                    entry.expires = 0.0
        self.expire()

    def expire(self) -> None:
        """Drop what has been idle for longer than its keep_alive."""
        with self._lock:
            for key in [k for k, e in self._loaded.items() if not e.users and e.expires <= time.monotonic()]:
                self._loaded.pop(key).engine.close()

    def running(self) -> list[Loaded]:
        """What is in memory now."""
        self.expire()
        with self._lock:
            return list(self._loaded.values())

    def _make_room(self, key: tuple[str, bool, int]) -> None:
        # The same model with another context is reloaded, as Ollama does, rather than kept twice.
        same = [k for k, e in self._loaded.items() if k[:2] == key[:2] and not e.users]
        idle = [k for k, e in self._loaded.items() if not e.users and k not in same]
        surplus = max(0, len(self._loaded) - len(same) - self._max + 1)
        for old in [*same, *idle[:surplus]]:
            self._loaded.pop(old).engine.close()
