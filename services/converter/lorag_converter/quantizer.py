"""One slab of a tensor to the bytes of its type: by the native kernel while it agrees with ggml, else by ggml."""

from __future__ import annotations

import threading
from typing import Any

import gguf
import numpy as np
import torch

from lorag_common.errors import LoragError, Reason
from lorag_converter import ggml, kquants, native
from lorag_converter.segments import Raw, Segment

Types = gguf.GGMLQuantizationType
PLAIN = {Types.F32: torch.float32, Types.F16: torch.float16, Types.BF16: torch.bfloat16}


class Quantizer:
    """Quantizes slabs; safe in threads.

    Attributes:
        path: the kernel's path in use, or "ggml".
        checked: rows that were held against ggml.
        doubt: where kernel and ggml differed; from then on ggml does everything. Empty as long as they agree.
    """

    def __init__(self) -> None:
        self.path = native.chosen()
        self.checked = 0
        self.doubt = ""
        self._lock = threading.Lock()

    def slab(self, segment: Segment, first: int, last: int, kind: Any, *, check: int | None) -> tuple[Any, bool]:
        """The bytes of rows `first` to `last` (uint8, one-dimensional), and whether the kernel made them.

        Args:
            segment: where the rows come from.
            first: row.
            last: row after the last.
            kind: the output's type.
            check: a row of the slab, counted from its first, to hold against ggml; None for no check.

        Raises:
            LoragError: WEIGHT_INVALID for a value that is not finite, or that F16 cannot hold.
        """
        path = self.path
        with torch.inference_mode():
            if path != "ggml" and (kind in kquants.QUANTIZED or (kind is Types.F16 and segment.raw)):
                return self._by_kernel(path, segment, first, last, kind, check), True
            return _plain_bytes(segment.rows(first, last), kind), False

    def _by_kernel(self, path: str, segment: Segment, first: int, last: int, kind: Any, check: int | None) -> Any:
        raw = segment.raw(first, last) if segment.raw else None
        if raw is None:
            raw = Raw(segment.rows(first, last).contiguous(), None, 0.0, rounded=False)
        try:
            made = kquants.quantize(path, kind, raw.rows, delta=raw.delta, scale=raw.scale, rounded=raw.rounded).numpy()
        except kquants.NotFinite:
            # Computed again the slow way, which names the tensor and the file; what is left comes from the mapping.
            segment.rows(first, last)
            raise LoragError(Reason.WEIGHT_INVALID, "A weight is NaN or Inf after llama.cpp's mapping.") from None
        if check is not None:
            self._hold_against_ggml(path, raw, check, kind, made.reshape(last - first, -1)[check])
        return made

    def _hold_against_ggml(self, path: str, raw: Raw, row: int, kind: Any, made: Any) -> None:
        wanted = _plain_bytes(raw.merged(row), kind)
        with self._lock:
            self.checked += 1
            if not np.array_equal(made, wanted) and not self.doubt:
                self.doubt = f"{kind.name} by {path} differs from ggml's"
                self.path = "ggml"


def _plain_bytes(values: torch.Tensor, kind: Any) -> Any:
    """Rows as bytes of a type, through torch and ggml."""
    if kind in PLAIN:
        return values.to(PLAIN[kind]).contiguous().view(torch.uint8).numpy().reshape(-1)
    return ggml.quantize(int(kind), values.float().contiguous().numpy())
