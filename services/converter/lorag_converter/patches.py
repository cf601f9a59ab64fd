"""What an adapter does to one tensor of the base, by rows, in PEFT's own order of operations.

Every class answers `apply(rows, first)`: `rows` are the base's rows [first, first + len(rows)), already in the type
that the merged model is stored in, shape [n, columns] (a vector is one row); the result has the same type and shape.
The order matters: scale after the product, add in float32, round once. Then the bytes are those of PEFT's
`merge_and_unload` (peft 0.21), row for row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lorag_converter.safetensors_reader import StoredTensor, read_float, read_rows

if TYPE_CHECKING:
    from torch import Tensor

MIN_ROWS = 64
"""Fewest rows of a slab: with 1-7 rows `B @ A` takes another path of the BLAS and rounds otherwise."""


class Patch(Protocol):
    """A change of some rows of a tensor."""

    def apply(self, rows: Tensor, first: int) -> Tensor:
        """The changed rows; may change `rows` in place."""


@dataclass(frozen=True)
class LowRank:
    """W + s * B @ A: LoRA and rsLoRA of a linear layer. `a`: [r, columns], `b`: [rows, r], `scale`: s."""

    a: StoredTensor
    b: StoredTensor
    scale: float

    def delta(self, first: int, last: int) -> Tensor:
        """s * B @ A for rows [first, last), float32."""
        change = read_rows(self.b, first, last).float() @ read_float(self.a)
        change *= self.scale
        return change

    def apply(self, rows: Tensor, first: int) -> Tensor:
        """See `Patch`."""
        rows += self.delta(first, first + len(rows))
        return rows


@dataclass(frozen=True)
class Decomposed:
    """m * V / |V| with V = W + s * B @ A: DoRA (arXiv 2402.09353). `magnitude`: m, one number a row."""

    low_rank: LowRank
    magnitude: StoredTensor

    def apply(self, rows: Tensor, first: int) -> Tensor:
        """See `Patch`."""
        import torch

        last = first + len(rows)
        direction = self.low_rank.delta(first, last)
        direction += rows
        magnitude = read_float(self.magnitude).view(-1)[first:last]
        factor = magnitude / torch.linalg.norm(direction, dim=1)
        return (factor.view(-1, 1) * direction).to(rows.dtype)


@dataclass(frozen=True)
class EmbeddingLowRank:
    """E + s * (B @ A)^T: LoRA of an embedding. `a`: [r, rows], `b`: [columns, r]."""

    a: StoredTensor
    b: StoredTensor
    scale: float

    def apply(self, rows: Tensor, first: int) -> Tensor:
        """See `Patch`."""
        change = (read_float(self.b) @ read_float(self.a)[:, first : first + len(rows)]).T * self.scale
        rows += change.to(rows.dtype)
        return rows


@dataclass(frozen=True)
class BiasChange:
    """b + s * d: what `lora_bias` learned. `change`: d, a vector."""

    change: StoredTensor
    scale: float

    def apply(self, rows: Tensor, first: int) -> Tensor:
        """See `Patch`."""
        rows += (read_float(self.change) * self.scale)[None]
        return rows


@dataclass(frozen=True)
class TrainedRows:
    """Rows of an embedding that were trained and replace the base's. `values`: [len(ids), columns]."""

    ids: tuple[int, ...]
    values: StoredTensor

    def apply(self, rows: Tensor, first: int) -> Tensor:
        """See `Patch`."""
        values = read_float(self.values)
        for value, row in zip(values, self.ids, strict=True):
            if first <= row < first + len(rows):
                rows[row - first] = value.to(rows.dtype)
        return rows
