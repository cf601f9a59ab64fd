"""Rows to blocks by the native kernel: ggml's bytes, at 5 to 12 times its speed. The C is in `services/converter/native`."""

from __future__ import annotations

from typing import Any

import gguf
import torch

from lorag_common.errors import LoragError, Reason
from lorag_converter import ggml, native

Types = gguf.GGMLQuantizationType
SOURCES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}
QUANTIZED = frozenset({Types.Q3_K, Types.Q4_K, Types.Q5_K, Types.Q6_K, Types.Q8_0})


class NotFinite(Exception):
    """The rows hold NaN, an infinity, or a value that float16 cannot hold."""


def quantize(
    path: str,
    kind: Any,
    rows: torch.Tensor,
    *,
    delta: torch.Tensor | None = None,
    scale: float = 0.0,
    rounded: bool = False,
) -> torch.Tensor:
    """Turn rows into blocks of a type, in one pass and without the GIL.

    Args:
        path: one of `native.available()`.
        kind: a type in `QUANTIZED`, or F16.
        rows: shape (n, columns), contiguous, float32, float16 or bfloat16.
        delta: float32 of the same shape; what is quantized is then half(half(rows) + delta * scale).
        scale: of `delta`.
        rounded: quantize half(rows), where there is no `delta`.

    Returns:
        The bytes, shape (n * bytes a row,), uint8.

    Raises:
        NotFinite: a value of `rows`, or of the sum, is not finite in the precision asked for.
    """
    assert rows.is_contiguous() and (delta is None or (delta.is_contiguous() and delta.shape == rows.shape))
    out = torch.empty(rows.shape[0] * ggml.row_size(int(kind), rows.shape[1]), dtype=torch.uint8)
    written = native.library().lorag_kquants(
        native.PATHS[path],
        int(kind),
        rows.data_ptr(),
        SOURCES[rows.dtype],
        None if delta is None else delta.data_ptr(),
        scale,
        rounded,
        rows.numel(),
        out.data_ptr(),
    )
    if written < 0:
        raise NotFinite
    if written != out.numel():
        raise LoragError(Reason.INTERNAL, f"The kernel wrote {written} bytes, expected {out.numel()}.")
    return out
