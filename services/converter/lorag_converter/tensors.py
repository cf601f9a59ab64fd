"""Reading rows of checkpoint tensors: by pread, never mmap, whose pages would count as memory used."""

from __future__ import annotations

import itertools
import os
from math import prod
from typing import Any

import torch

from lorag_common.errors import LoragError, Reason

SLAB_ELEMENTS = 4 << 20
# B @ A over at least 64 rows gives the bits of the whole product; over 1 to 7 rows it does not.
MIN_ROWS = 64

_open_files: dict[str, int] = {}


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
    buffer = bytearray((last - first) * row_bytes)
    try:
        fd = _open_files.get(name) or _open_files.setdefault(name, os.open(name, os.O_RDONLY))
        got = 0
        while got < len(buffer):
            n = os.preadv(fd, [memoryview(buffer)[got:]], where.offset + first * row_bytes + got)
            if n == 0:
                raise OSError("the file ends too early")
            got += n
    except OSError as error:
        raise LoragError(Reason.BASE_MODEL_UNREADABLE, f"{os.path.basename(name)}: {error}") from error
    return torch.frombuffer(buffer, dtype=dtype).view(last - first, columns)


def slabs(rows: int, columns: int) -> list[tuple[int, int]]:
    """Row ranges of about 4 M elements, none shorter than 64 rows unless the tensor is."""
    cuts = [*range(0, rows, max(MIN_ROWS, SLAB_ELEMENTS // columns)), rows]
    if len(cuts) > 2 and cuts[-1] - cuts[-2] < MIN_ROWS:
        cuts.pop(-2)
    return list(itertools.pairwise(cuts))
