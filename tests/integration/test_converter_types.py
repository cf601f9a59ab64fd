"""Every quantization type that the converter offers: the bytes that llama.cpp's own quantizer writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from test_converter_equality import make_base, qwen2

SCRIPT = """
import ctypes, sys
from pathlib import Path
from lorag_converter import ggml
from lorag_converter.export import export
import llama_cpp, torch
torch.set_num_threads(1)
base, work = Path(sys.argv[1]), Path(sys.argv[2])
f16 = work / "F16.gguf"
export(base, None, f16, quantization="F16")
for name, ftype in ggml.FILE_TYPES.items():
    if name == "F16":
        continue
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = ftype
    whole = work / "whole.gguf"
    assert llama_cpp.llama_model_quantize(str(f16).encode(), str(whole).encode(), ctypes.byref(parameters)) == 0, name
    export(base, None, work / "stream.gguf", quantization=name)
    print(name, whole.read_bytes() == (work / "stream.gguf").read_bytes(), flush=True)
"""


def test_every_type_has_llama_cpps_bytes(tmp_path: Path) -> None:
    from lorag_converter.ggml import FILE_TYPES

    base = make_base(tmp_path / "base", qwen2(tied=False), "qwen2")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(base), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [n for n, equal in lines if equal != "True"] == []
    assert {n for n, _ in lines} == set(FILE_TYPES) - {"F16"}
