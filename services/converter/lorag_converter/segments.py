"""From llama.cpp's lazy tensors to row slabs.

The mapping describes each output tensor as a graph of lazy operations. The common ones (a checkpoint tensor, a change
of type, concatenation along rows, a prefix of rows) are walked, so that rows can be computed a slab at a time. Stacked
experts that are turned or cut within each expert are evaluated expert by expert. Any other node is evaluated whole: as
right, with two to three times that tensor's size in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
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


class Raw(NamedTuple):
    """Rows before they are merged: half(half(rows) + delta * scale), or half(rows), or (not `rounded`) rows as they are."""

    rows: torch.Tensor
    delta: torch.Tensor | None
    scale: float
    rounded: bool

    def merged(self, row: int) -> torch.Tensor:
        """One row, shape (1, columns), merged by torch."""
        values = self.rows[row : row + 1]
        if self.rounded:
            values = values.to(torch.float16, copy=True)
        return values if self.delta is None else values.add_(self.delta[row : row + 1] * self.scale)


class Segment(NamedTuple):
    """So many rows, and how to get rows `first` to `last` of them.

    `raw` gives the same rows before merging, where that is all there is to them; `advise` says that they will be read.
    """

    size: int
    rows: Callable[[int, int], torch.Tensor]
    raw: Callable[[int, int], Raw] | None = None
    advise: Callable[[int, int], None] | None = None


def segments(tensor: Any) -> list[Segment]:
    """The parts that a tensor is made of, in order of rows."""
    if isinstance(tensor, LazyBase) and tensor._data is None:
        name = getattr(tensor._func, "__qualname__", "")
        if name == _LEAF and isinstance(leaf := tensor._args[0], MergedTensor):
            return [_leaf(leaf)]
        if name in _CASTS:
            dtype = _TYPES[np.dtype(tensor._meta.dtype).name]
            return [_cast(s, dtype) for s in segments(tensor._args[0])]
        if _joins_rows(tensor):
            return [s for part in tensor._args[0] for s in segments(part)]
        if _is_prefix(tensor) and len(inner := segments(tensor._args[0])) == 1:
            return [inner[0]._replace(size=as_rows(tensor._meta.shape)[0])]
        if len(tensor._meta.shape) == 3 and _keeps_experts(tensor):
            count, columns = tensor._meta.shape[1:]
            return [
                _once(int(count), int(columns), partial(_evaluate, tensor, expert, expert + 1))
                for expert in range(tensor._meta.shape[0])
            ]
    count, columns = as_rows(tuple(tensor.shape))
    return [_once(count, columns, partial(LazyBase.to_eager, tensor))]


def _leaf(tensor: MergedTensor) -> Segment:
    def raw(first: int, last: int) -> Raw:
        rows, delta, scale = tensor.unmerged(first, last)
        return Raw(rows, delta, scale, rounded=True)

    count = as_rows(tensor.shape)[0]
    return Segment(count, tensor.rows, raw if tensor.plain else None, tensor.advise)


def _cast(segment: Segment, dtype: torch.dtype) -> Segment:
    # Rows with a `raw` are float16 values, which float32 holds as they are.
    return segment._replace(rows=lambda first, last: segment.rows(first, last).to(dtype))


def _joins_rows(tensor: Any) -> bool:
    if tensor._func not in (torch.stack, torch.cat) or tensor._kwargs.get("dim", 0) or len(tensor._args) != 1:
        return False
    return len(tensor.shape) > 1 and all(len(part.shape) > 1 for part in tensor._args[0])


def _is_prefix(tensor: Any) -> bool:
    if tensor._func is not torch.Tensor.__getitem__:
        return False
    index = tensor._args[1]
    return isinstance(index, slice) and index.step is None and not index.start


def _leaves(node: Any) -> list[Any]:
    """The checkpoint tensors that a graph starts from; None for a start of another kind."""
    if isinstance(node, (list, tuple)):
        return [leaf for part in node for leaf in _leaves(part)]
    if not isinstance(node, LazyBase):
        return []
    if getattr(node._func, "__qualname__", "") == _LEAF:
        return [node._args[0] if isinstance(node._args[0], MergedTensor) else None]
    return [None] if node._data is not None else _leaves(list(node._args))


def _keeps_experts(tensor: Any) -> bool:
    """Whether each expert (index of the first dimension) depends on the same expert of the checkpoint alone.

    It is tried: the first two experts together have to give what they give one by one.
    """
    experts, leaves = tensor._meta.shape[0], _leaves(tensor)
    if experts < 2 or not leaves or any(x is None or len(x.shape) != 3 or x.shape[0] != experts for x in leaves):
        return False
    try:
        together = torch.as_tensor(_evaluate(tensor, 0, 2))
        apart = torch.cat([torch.as_tensor(_evaluate(tensor, e, e + 1)) for e in (0, 1)])
    except (RuntimeError, IndexError, ValueError):
        return False
    return bool(together.shape == apart.shape and torch.equal(together, apart))


def _evaluate(node: Any, first: int, last: int) -> Any:
    """The graph's value over experts `first` to `last` of its checkpoint tensors."""
    if isinstance(node, (list, tuple)):
        return type(node)(_evaluate(part, first, last) for part in node)
    if not isinstance(node, LazyBase):
        return node
    if getattr(node._func, "__qualname__", "") == _LEAF:
        leaf = node._args[0]
        rows, columns = leaf.shape[1:]
        return leaf.rows(first * rows, last * rows).view(last - first, rows, columns)
    return node._func(*_evaluate(list(node._args), first, last), **node._kwargs)


def _once(count: int, columns: int, evaluate: Callable[[], Any]) -> Segment:
    """A segment that is evaluated at its first row and let go of after its last."""
    lock = threading.Lock()
    box: list[torch.Tensor] = []
    left = count

    def rows(first: int, last: int) -> torch.Tensor:
        nonlocal left
        with lock:
            if not box:
                eager = evaluate()
                if isinstance(eager, np.ndarray):
                    eager = torch.from_numpy(np.ascontiguousarray(eager))
                box.append(eager.contiguous().reshape(count, columns))
            found = box[0][first:last]
            left -= last - first
            if left == 0:
                box.clear()
                left = count
            return found

    return Segment(count, rows)
