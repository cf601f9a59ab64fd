"""The native K-quant kernel: whether it was built, and which of its paths this machine takes.

    python -m lorag_converter.native      says in one line what quantizes here, and why

`services/converter/native` is compiled with this package where there is a C compiler. Without it, or on a processor
without AVX2 (where the kernel would be no faster), everything goes through ggml. LORAG_KQUANTS forces a path: avx512,
avx2, scalar, ggml.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from importlib.machinery import PathFinder
from typing import Any

from lorag_common.errors import LoragError, Reason

# As the library numbers them; the fastest first.
PATHS = {"avx512": 2, "avx2": 1, "scalar": 0}
FAST = ("avx512", "avx2")
VARIABLE = "LORAG_KQUANTS"


@cache
def library() -> Any:
    """The compiled library, or None where it was not built."""
    # Beside this file only: an editable install's finder would also offer another checkout's.
    found = PathFinder.find_spec("lorag_converter._kquants", [os.path.dirname(__file__)])
    if found is None or not found.origin:
        return None
    lib = ctypes.CDLL(found.origin)
    lib.lorag_kquants.restype = ctypes.c_int64
    lib.lorag_kquants.argtypes = [
        *[ctypes.c_int] * 2,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_float,
        ctypes.c_int,
        ctypes.c_int64,
        ctypes.c_void_p,
    ]
    return lib


def available() -> list[str]:
    """The paths that this machine can run, the fastest first; empty where the library was not built."""
    lib = library()
    return [name for name, isa in PATHS.items() if lib.lorag_kquants_supports(isa)] if lib else []


def chosen() -> str:
    """The path that conversions take: one of `PATHS`, or "ggml".

    Raises:
        LoragError: INVALID_FIELD when LORAG_KQUANTS names a path that this machine has not.
    """
    wanted, here = os.environ.get(VARIABLE, ""), available()
    if not wanted:
        return next((name for name in here if name in FAST), "ggml")
    if wanted not in (*here, "ggml"):
        raise LoragError(
            Reason.INVALID_FIELD,
            f"{VARIABLE} is '{wanted}'; this machine has {', '.join((*here, 'ggml'))}.",
            remedy=f"Unset {VARIABLE}, or name one of those.",
        )
    return wanted


def describe() -> str:
    """One line for people: what quantizes here, and why."""
    path = chosen()
    if path != "ggml":
        return f"native kernel ({path})"
    if not available():
        return "ggml (the native kernel was not built: no C compiler when lorag-converter was installed)"
    return "ggml (as LORAG_KQUANTS says)" if os.environ.get(VARIABLE) else "ggml (no AVX2 on this processor)"


def main() -> int:
    """The command."""
    try:
        print(describe())
    except LoragError as error:
        print(f"{error.message}\n{error.remedy}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
