"""The measured part of a release: its fidelity report."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lorag_converter import fidelity
from lorag_converter.estimate import parameters
from lorag_converter.export import export


def fidelity_report(
    gguf: Path,
    quantization: str,
    base: Path,
    adapter: Path | None,
    tokenizer: Path,
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    """Measure `gguf` against the same model unquantized, on `heldout.jsonl` of its adapter.

    The reference is written beside the GGUF for the time of the measurement. Where F16 fits neither disk nor memory, it
    is a Q8_0, and the report says so.
    """
    from transformers import AutoTokenizer

    heldout = adapter / "heldout.jsonl" if adapter else None
    if heldout is None or not heldout.is_file():
        return {"measured": False, "why": "There are no held-out examples: no adapter, or one made elsewhere."}
    trained = AutoTokenizer.from_pretrained(str(tokenizer))
    if not trained.chat_template:
        return {"measured": False, "why": "The tokenizer has no chat template."}
    texts, left_out = fidelity.sequences(heldout, trained)
    if not texts:
        return {"measured": False, "why": "No held-out example fits the context of the measurement."}
    memory = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    kind = fidelity.reference_type(2 * parameters(base), shutil.disk_usage(gguf.parent).free, memory)
    if quantization in (kind, "F16", "BF16"):
        return {"measured": False, "why": f"{quantization} is the reference itself."}
    with tempfile.TemporaryDirectory(dir=gguf.parent, prefix=".reference-") as scratch:
        reference = Path(scratch) / "reference.gguf"
        export(base, adapter, reference, quantization=kind, tokenizer=tokenizer, name=base.name)
        found = fidelity.measure(reference, gguf, texts, Path(scratch), progress)
    return {"measured": True, "reference": kind, "examples": len(texts), "too_long": left_out, **found}
