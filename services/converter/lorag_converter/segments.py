"""From llama.cpp's lazy tensors to row slabs.

The mapping describes each output tensor as a graph of lazy operations. The common ones (a checkpoint tensor, a change
of type, concatenation along rows, a prefix of rows) are walked, so that rows can be computed a slab at a time; any other
node is evaluated whole: as right, with two to three times that tensor's size in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from conversion import LazyTorchTensor  # noqa: F401  (the qualified names below are its)
from gguf.lazy import LazyBase

from lorag_converter.merged import MergedTensor
from lorag_converter.tensors import as_rows

_LEAF = "LazyTorchTensor.from_local_tensor.<locals>.<lambda>"
_CASTS = ("LazyNumpyTensor.astype.<locals>.<lambda>", "LazyTorchTensor.numpy.<locals>.<lambda>")
_TYPES = {"float16": torch.float16, "float32": torch.float32}


class Segment(NamedTuple):
    """So many rows, and how to get rows `first` to `last` of them."""

    size: int
    rows: Callable[[int, int], torch.Tensor]


def segments(tensor: Any) -> list[Segment]:
    """The parts that a tensor is made of, in order of rows."""
    if isinstance(tensor, LazyBase) and tensor._data is None:
        name = getattr(tensor._func, "__qualname__", "")
        if name == _LEAF and isinstance(leaf := tensor._args[0], MergedTensor):
            return [Segment(as_rows(leaf.shape)[0], leaf.rows)]
        if name in _CASTS:
            dtype = _TYPES[np.dtype(tensor._meta.dtype).name]
            return [_cast(s, dtype) for s in segments(tensor._args[0])]
        if _joins_rows(tensor):
            return [s for part in tensor._args[0] for s in segments(part)]
        if _is_prefix(tensor) and len(inner := segments(tensor._args[0])) == 1:
            return [Segment(as_rows(tensor._meta.shape)[0], inner[0].rows)]
    return [_whole(tensor)]


def _cast(segment: Segment, dtype: torch.dtype) -> Segment:
    return Segment(segment.size, lambda first, last: segment.rows(first, last).to(dtype))


def _joins_rows(tensor: Any) -> bool:
    if tensor._func not in (torch.stack, torch.cat) or tensor._kwargs.get("dim", 0) or len(tensor._args) != 1:
        return False
    return len(tensor.shape) > 1 and all(len(part.shape) > 1 for part in tensor._args[0])


def _is_prefix(tensor: Any) -> bool:
    if tensor._func is not torch.Tensor.__getitem__:
        return False
    index = tensor._args[1]
    return isinstance(index, slice) and index.step is None and not index.start


def _whole(tensor: Any) -> Segment:
    count, columns = as_rows(tuple(tensor.shape))
    lock = threading.Lock()
    box: list[torch.Tensor] = []

    def rows(first: int, last: int) -> torch.Tensor:
        with lock:
            if not box:
                eager = LazyBase.to_eager(tensor)
                if isinstance(eager, np.ndarray):
                    eager = torch.from_numpy(np.ascontiguousarray(eager))
                box.append(eager.contiguous().reshape(count, columns))
        return box[0][first:last]

    return Segment(count, rows)
