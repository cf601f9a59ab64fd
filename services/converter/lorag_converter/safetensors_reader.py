"""Reading safetensors files by rows: eight bytes of length, a JSON header, then the tensors' bytes.

Rows are read with `pread` rather than through a memory map: the pages of a map count as the process's memory, and the
whole base would pass through it. Headers are read without torch, so that a service can look at a model cheaply.
"""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorag_common.errors import LoragError, Reason

if TYPE_CHECKING:
    from torch import Tensor

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
ITEM_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U64": 8, "I32": 4, "U32": 4, "I16": 2, "U16": 2, "I8": 1,
    "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
}  # fmt: skip
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
"""Types of weights that are numbers as they stand; FP8 weights go with scales, so they count as quantized."""
_TORCH_TYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_MAX_HEADER_BYTES = 100 << 20


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file: its type's name, its shape, and where its bytes begin."""

    file: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def rows_and_columns(self) -> tuple[int, int]:
        """The tensor seen as a matrix of its last dimension; a vector is one row."""
        return matrix_shape(self.shape)


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """(rows, columns) of a tensor seen as a matrix: all dimensions but the last are rows."""
    return (prod(shape[:-1]), shape[-1]) if shape else (1, 1)


def read_header(file: Path) -> dict[str, StoredTensor]:
    """The tensors of one file, by name.

    Raises:
        LoragError: BASE_MODEL_UNREADABLE when the header or the length of the file is wrong.
    """
    try:
        with file.open("rb") as f:
            length = int.from_bytes(f.read(8), "little")
            if length > _MAX_HEADER_BYTES:
                raise ValueError("the header is too long")
            header: dict[str, dict[str, Any]] = json.loads(f.read(length))
        header.pop("__metadata__", None)
        start = 8 + length
        tensors = {
            name: StoredTensor(file, name, d["dtype"], tuple(d["shape"]), start + d["data_offsets"][0])
            for name, d in header.items()
        }
        for t in tensors.values():
            end = t.offset + prod(t.shape) * ITEM_BYTES[t.dtype]
            if end != start + header[t.name]["data_offsets"][1] or end > file.stat().st_size:
                raise ValueError(f"the bytes of '{t.name}' are not all there")
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"'{file.name}' is not a whole safetensors file: {error}"
        raise LoragError(Reason.BASE_MODEL_UNREADABLE, message) from error
    return tensors


def read_model(folder: Path) -> dict[str, StoredTensor]:
    """The tensors of a model folder, of one file or of many with an index.

    Raises:
        LoragError: BASE_MODEL_UNREADABLE when there are none, or a file that the index names is missing.
    """
    index = folder / INDEX
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, AttributeError) as error:
            raise LoragError(Reason.BASE_MODEL_UNREADABLE, f"'{INDEX}' is damaged: {error}") from error
    else:
        names = [SINGLE]
    if missing := [n for n in names if not (folder / n).is_file()]:
        hint = "" if index.is_file() else " (only safetensors weights can be read)"
        raise LoragError(
            Reason.BASE_MODEL_UNREADABLE, f"The base model's folder lacks {', '.join(missing[:4])}{hint}."
        )
    return {name: t for file in names for name, t in read_header(folder / file).items()}


def read_rows(tensor: StoredTensor, first: int = 0, last: int | None = None) -> Tensor:
    """Rows [first, last) of a float tensor, in its own type, shape [last - first, columns]; all of them by default."""
    import torch

    rows, columns = tensor.rows_and_columns
    last = rows if last is None else last
    row_bytes = columns * ITEM_BYTES[tensor.dtype]
    data = read_bytes(tensor.file, tensor.offset + first * row_bytes, (last - first) * row_bytes)
    dtype = getattr(torch, _TORCH_TYPES[tensor.dtype])
    return torch.frombuffer(data, dtype=dtype).view(last - first, columns)


@functools.lru_cache(maxsize=8)
def read_float(tensor: StoredTensor) -> Tensor:
    """A whole small tensor in float32 and its own shape; the last few are kept, since every slab needs them again."""
    return read_rows(tensor).float().clone().view(tensor.shape)


def read_bytes(file: Path, offset: int, count: int) -> bytearray:
    """Exactly `count` bytes from `offset`.

    Raises:
        LoragError: BASE_MODEL_UNREADABLE when the file ends before.
    """
    data = bytearray(count)
    view, done = memoryview(data), 0
    with file.open("rb", buffering=0) as f:
        while done < count:
            got = os.preadv(f.fileno(), [view[done:]], offset + done)
            if not got:
                raise LoragError(Reason.BASE_MODEL_UNREADABLE, f"'{file.name}' ended before its last tensor.")
            done += got
    return data
