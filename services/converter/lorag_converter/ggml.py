"""ggml's quantizer and llama.cpp's choice of types, through the libraries that llama-cpp-python installed."""

from __future__ import annotations

import ctypes
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from lorag_common.errors import LoragError, Reason

# Name -> llama.cpp's file type. The mix per tensor is never copied from llama.cpp; it is asked (see `tensor_types`).
# Not here: types that need an importance matrix, and those made for one model family only.
FILE_TYPES: dict[str, int] = {
    name: getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{name}")
    for name in (
        "F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q5_1", "Q5_0", "Q4_K_M", "Q4_K_S", "Q4_1", "Q4_0",
        "IQ4_NL", "IQ4_XS", "Q3_K_L", "Q3_K_M", "Q3_K_S", "IQ3_M", "IQ3_S", "Q2_K",
    )
}  # fmt: skip


def file_type(name: str) -> int:
    """llama.cpp's number of a quantization type. LoragError QUANTIZATION_UNKNOWN naming those that there are."""
    if name not in FILE_TYPES:
        raise LoragError(
            Reason.QUANTIZATION_UNKNOWN,
            f"'{name}' is not a quantization type; there are {', '.join(FILE_TYPES)}.",
            field="quantization",
        )
    return FILE_TYPES[name]


@cache
def _library() -> Any:
    lib = ctypes.CDLL(str(Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"))
    lib.ggml_quantize_chunk.restype = lib.ggml_row_size.restype = ctypes.c_size_t
    lib.ggml_quantize_chunk.argtypes = [
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_void_p,
        *[ctypes.c_int64] * 3,
        ctypes.c_void_p,
    ]
    lib.ggml_row_size.argtypes = [ctypes.c_int, ctypes.c_int64]
    return lib


def row_size(ggml_type: int, columns: int) -> int:
    """Bytes of one row of `columns` elements."""
    return int(_library().ggml_row_size(ggml_type, columns))


def quantize_init(ggml_type: int) -> None:
    """Build a type's tables; before threads use it."""
    _library().ggml_quantize_init(ggml_type)


def quantize(ggml_type: int, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Quantize float32 rows, shape (n, columns), C-contiguous; returns their bytes. Releases the GIL."""
    count, columns = rows.shape
    out = np.empty(count * row_size(ggml_type, columns), np.uint8)
    written = _library().ggml_quantize_chunk(ggml_type, rows.ctypes.data, out.ctypes.data, 0, count, columns, None)
    if written != out.nbytes:
        raise LoragError(Reason.INTERNAL, f"ggml wrote {written} bytes, expected {out.nbytes}.")
    return out


class _Log:
    """Collects llama.cpp's log. It lives as long as the process, because llama.cpp keeps calling it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.callback = llama_cpp.llama_log_callback(
            lambda _level, text, _data: self.lines.append(text.decode(errors="replace"))
        )


_LOG = _Log()
_LINE = re.compile(r"\]\s+(\S+)\s+- \[.*?size = .*?-> .*?\((\w+)\)")


def tensor_types(f16_header: Path, ftype: int) -> dict[str, str]:
    """The type that llama.cpp gives each tensor that it quantizes: a dry run over a sparse F16 file, read from its log.

    Args:
        f16_header: a GGUF of the model in F16, its tensor data a hole of the right size.
        ftype: llama.cpp's file type.
    """
    lines = _LOG.lines = []
    llama_cpp.llama_log_set(_LOG.callback, ctypes.c_void_p(0))
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = ftype
    parameters.dry_run = True
    with tempfile.NamedTemporaryFile() as nothing:
        status = llama_cpp.llama_model_quantize(
            str(f16_header).encode(), nothing.name.encode(), ctypes.byref(parameters)
        )
    log = "".join(lines)
    _LOG.lines = []
    if status != 0:
        raise LoragError(Reason.ARCHITECTURE_UNSUPPORTED, f"llama.cpp cannot quantize this model: {log[-400:]}")
    return {name: kind.upper() for name, kind in _LINE.findall(log)}
