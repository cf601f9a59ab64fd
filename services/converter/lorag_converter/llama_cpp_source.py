"""Where llama.cpp's own mapping of Hugging Face models to GGUF lies, and what it supports.

The mapping (the `conversion` package and the `gguf` package beside it) is part of llama-cpp-python's source
distribution, not of its wheel. `python -m lorag_converter.vendor` unpacks it once.
"""

from __future__ import annotations

import ast
import functools
import os
import sys
from pathlib import Path

from lorag_common.errors import LoragError, Reason

VERSION = "0.3.36"
"""Of llama-cpp-python: mapping, quantizer and runtime must come from one release, or files would differ."""
STAMP = ".unpacked"
"""Written last, holds the version: a folder without it is incomplete."""


def folder() -> Path:
    """The unpacked sources: LORAG_LLAMA_CPP, or `vendor/llama.cpp` beside this package."""
    named = os.environ.get("LORAG_LLAMA_CPP")
    return Path(named) if named else Path(__file__).resolve().parents[1] / "vendor" / "llama.cpp"


def require() -> Path:
    """The folder, checked.

    Raises:
        LoragError: TOOLS_MISSING when it is not unpacked or is of another version.
    """
    place = folder()
    stamp = place / STAMP
    found = stamp.read_text(encoding="utf-8").strip() if stamp.is_file() else "nothing"
    if found != VERSION:
        raise LoragError(
            Reason.TOOLS_MISSING,
            f"llama.cpp's mapping of models to GGUF is needed at '{place}', version {VERSION}; there is {found}.",
            remedy="Run `python -m lorag_converter.vendor` (part of `make setup`).",
        )
    return place


def activate() -> None:
    """Make `gguf` and `conversion` importable, before any `gguf` of the same name that is installed."""
    place = require()
    for path in (str(place / "gguf-py"), str(place)):
        if path not in sys.path:
            sys.path.insert(0, path)


@functools.cache
def supported_architectures() -> frozenset[str]:
    """Names of architectures that can be mapped, as `config.json` writes them.

    Read from the mapping's table without importing it: that would cost a service torch and 250 MB.
    """
    source = (require() / "conversion" / "__init__.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "TEXT_MODEL_MAP":
            assert node.value is not None
            return frozenset(ast.literal_eval(node.value))
    raise LoragError(Reason.TOOLS_MISSING, "llama.cpp's table of architectures is not where it was.")
