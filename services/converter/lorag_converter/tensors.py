"""Reading rows of checkpoint tensors: by pread, never mmap, whose pages would count as memory used."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from math import prod
from typing import Any

import torch

from lorag_common.errors import LoragError, Reason

SLAB_ELEMENTS = 1 << 20
# B @ A over at least 64 rows gives the bits of the whole product; over 1 to 7 rows it does not.
MIN_ROWS = 64

_open_files: dict[str, int] = {}


class _Clock:
    """Adds up the seconds that all threads spent reading."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = threading.Lock()

    def add(self, seconds: float) -> None:
        with self._lock:
            self.seconds += seconds


reading = _Clock()


def as_rows(shape: tuple[int, ...]) -> tuple[int, int]:
    """A tensor's shape as (rows, columns); one-dimensional tensors are one row."""
    return (prod(shape[:-1]), int(shape[-1])) if len(shape) else (1, 1)


def read_rows(tensor: Any, first: int = 0, last: int | None = None) -> torch.Tensor:
    """Rows `first` to `last` of a `gguf.utility.LocalTensor`, shape (rows, columns), in its own type.

    Raises:
        LoragError: BASE_MODEL_UNREADABLE naming the file when it is cut short or unreadable.
    """
    from conversion import LazyTorchTensor

    rows, columns = as_rows(tensor.shape)
    last = rows if last is None else last
    dtype = LazyTorchTensor._dtype_str_map[tensor.dtype]
    row_bytes = columns * dtype.itemsize
    where = tensor.data_range
    name = str(where.filename)
    buffer = torch.empty((last - first) * row_bytes, dtype=torch.uint8)
    view = memoryview(buffer.numpy())
    started = time.perf_counter()
    try:
        fd, got = _opened(name), 0
        while got < len(view):
            n = os.preadv(fd, [view[got:]], where.offset + first * row_bytes + got)
            if n == 0:
                raise OSError("the file ends too early")
            got += n
    except OSError as error:
        raise LoragError(Reason.BASE_MODEL_UNREADABLE, f"{os.path.basename(name)}: {error}") from error
    finally:
        reading.add(time.perf_counter() - started)
    return buffer.view(dtype).view(last - first, columns)


def announce_rows(tensor: Any, first: int, last: int) -> None:
    """Tell the system that these rows will be read soon; it fetches them meanwhile. Best effort."""
    rows, _ = as_rows(tensor.shape)
    where = tensor.data_range
    row_bytes = where.size // rows
    with contextlib.suppress(OSError):
        # `read_rows` names the file that cannot be read.
        os.posix_fadvise(
            _opened(str(where.filename)),
            where.offset + first * row_bytes,
            (last - first) * row_bytes,
            os.POSIX_FADV_WILLNEED,
        )


def _opened(name: str) -> int:
    return _open_files.get(name) or _open_files.setdefault(name, os.open(name, os.O_RDONLY))


def slabs(rows: int, columns: int) -> list[tuple[int, int]]:
    """Row ranges of about 1 M elements, none shorter than 64 rows unless the tensor is."""
    cuts = [*range(0, rows, max(MIN_ROWS, SLAB_ELEMENTS // columns)), rows]
    if len(cuts) > 2 and cuts[-1] - cuts[-2] < MIN_ROWS:
        cuts.pop(-2)
    return list(itertools.pairwise(cuts))
