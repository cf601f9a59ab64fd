"""Tensors to the output file: slabs read, merged and quantized by threads, a bounded number of them at a time."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from lorag_converter.output import Output
from lorag_converter.quantizer import Quantizer
from lorag_converter.segments import Segment, segments
from lorag_converter.tensors import slabs


@dataclass(frozen=True)
class Planned:
    """One tensor of the output: its type, row length, bytes a row, bytes in all, and position after the header."""

    name: str
    type: Any
    columns: int
    row_bytes: int
    size: int
    offset: int


@dataclass
class _Tensor:
    """A tensor on its way. `native` says whether the kernel made any of it."""

    planned: Planned
    position: int
    parts: list[Segment]
    native: bool = False
    left: int = field(default=0)


class Pipeline:
    """Writes tensors one after the other; the next one's slabs are begun while the last one's are finished.

    Two rows of every tensor that the kernel makes are held against ggml: one of its first slab, one of any other. Where
    they differ the tensor is made again by ggml, and so is everything after it.
    """

    def __init__(self, pool: ThreadPoolExecutor, threads: int, output: Output, quantizer: Quantizer) -> None:
        self._pool, self._output, self._quantizer = pool, output, quantizer
        # One slab a thread, and as many that the disk is told of while they wait.
        self._window = 2 * threads
        self._running: deque[tuple[Future[bool], _Tensor]] = deque()
        self._random = random.Random(0)

    def write(self, planned: Planned, tensor: Any, position: int) -> None:
        """Begin a tensor; `drain` has to follow the last one."""
        entry = _Tensor(planned, position, segments(tensor))
        # What cannot be cut into slabs is in memory whole; not two such at once.
        alone = not all(part.raw for part in entry.parts)
        if alone:
            self.drain()
        self._begin(entry)
        if alone:
            self.drain()

    def drain(self) -> None:
        """Wait until everything that was begun has been handed to the output."""
        while self._running:
            self._settle()

    def _begin(self, entry: _Tensor) -> None:
        work = list(_slabs(entry))
        entry.left = len(work)
        sampled = {0, self._random.randrange(len(work))}
        for number, (part, first, last, where) in enumerate(work):
            while len(self._running) >= self._window:
                self._settle()
            if part.advise:
                part.advise(first, last)
            check = self._random.randrange(last - first) if number in sampled else None
            slab = self._pool.submit(self._slab, part, first, last, entry.planned.type, where, check)
            self._running.append((slab, entry))

    def _slab(self, part: Segment, first: int, last: int, kind: Any, where: int, check: int | None) -> bool:
        payload, native = self._quantizer.slab(part, first, last, kind, check=check)
        self._output.put(where, payload)
        return native

    def _settle(self) -> None:
        """Wait for the oldest slab; with its last one a tensor is finished, or made again where the kernel failed."""
        slab, entry = self._running.popleft()
        entry.native |= slab.result()
        entry.left -= 1
        if entry.left:
            return
        if entry.native and self._quantizer.doubt:
            for part, first, last, where in _slabs(entry):
                self._pool.submit(self._slab, part, first, last, entry.planned.type, where, None).result()
        self._output.finish(entry.planned.name)


def _slabs(entry: _Tensor) -> Iterator[tuple[Segment, int, int, int]]:
    """Every slab of a tensor: its segment, first row, row after the last, position in the file."""
    position = entry.position
    for part in entry.parts:
        for first, last in slabs(part.size, entry.planned.columns):
            yield part, first, last, position + first * entry.planned.row_bytes
        position += part.size * entry.planned.row_bytes
