"""What an export may and may not take over from an earlier one, and what it leaves behind in its process."""

from __future__ import annotations

import gc
import json
import signal
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import llama_cpp
import pytest

from lorag_common.artifacts import sha256_file
from lorag_converter import ggml, vendor

vendor.activate()

from lorag_converter.output import remember, remembered

TINY_BASE = Path(__file__).resolve().parents[2] / "demo" / "tiny_base"
# Exports argv[1] to argv[2] as type argv[3]; prints each tensor that it begins; once argv[4] tensors are on disk it kills
# itself.
KILLABLE = """
import os, signal, sys
from pathlib import Path
from lorag_converter import export, pipeline
real, durable = pipeline.Pipeline.write, []
def printed(self, planned, tensor, position):
    print(planned.name, flush=True)
    real(self, planned, tensor, position)
def progress(done, total):
    durable.append(done)
    if len(durable) == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
pipeline.Pipeline.write = printed
export.torch.set_num_threads(1)
export.export(Path(sys.argv[1]), None, Path(sys.argv[2]), quantization=sys.argv[3], progress=progress)
"""


def export(out: Path, quantization: str, die_after: int = -1) -> list[str]:
    """Export the tiny base; the tensors that were begun, before the kill if there was one."""
    command = [sys.executable, "-c", KILLABLE, str(TINY_BASE), str(out), quantization, str(die_after)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == (0 if die_after < 0 else -signal.SIGKILL), done.stderr
    return done.stdout.split()


def test_finished_tensors_are_not_written_again(tmp_path: Path) -> None:
    export(tmp_path / "whole.gguf", "Q4_K_M")
    out = tmp_path / "cut.gguf"

    first = export(out, "Q4_K_M", die_after=7)
    assert not out.exists(), "a half-written file has the final name"
    durable = remembered(out.with_name("cut.gguf.journal"))[1:]
    last = export(out, "Q4_K_M")

    assert len(durable) >= 7
    assert set(durable) <= set(first)
    assert not set(durable) & set(last)
    assert sha256_file(out) == sha256_file(tmp_path / "whole.gguf")


def test_what_was_left_of_another_type_is_not_taken_over(tmp_path: Path) -> None:
    export(tmp_path / "whole.gguf", "Q8_0")
    out = tmp_path / "cut.gguf"

    export(out, "Q4_K_M", die_after=7)
    export(out, "Q8_0")

    assert sha256_file(out) == sha256_file(tmp_path / "whole.gguf")


def test_half_a_line_of_a_killed_writer_does_not_count(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    remember(journal, "blk.0.attn_q.weight")
    with journal.open("a") as f:
        f.write(json.dumps("blk.0.attn_k.weight")[:9])

    assert remembered(journal) == ["blk.0.attn_q.weight"]


def test_the_log_callback_lives_as_long_as_llama_cpp_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[weakref.ref[Any]] = []
    monkeypatch.setattr(llama_cpp, "llama_log_set", lambda callback, data: held.append(weakref.ref(callback)))
    monkeypatch.setattr(llama_cpp, "llama_model_quantize", lambda *arguments: 0)

    ggml.tensor_types(tmp_path / "f16.gguf", ggml.file_type("Q4_K_M"))
    gc.collect()

    assert held[-1]() is not None


def test_stacked_experts_are_evaluated_one_by_one(tmp_path: Path) -> None:
    import torch
    from conversion import LazyTorchTensor
    from gguf.utility import SafetensorsLocal
    from safetensors.torch import save_file

    from lorag_converter.adapter import Adapter
    from lorag_converter.merged import MergedTensor
    from lorag_converter.segments import segments

    stack = torch.randn(4, 128, 96, dtype=torch.float16)
    save_file({"gate_up": stack}, tmp_path / "a.safetensors")
    leaf = MergedTensor("gate_up", SafetensorsLocal(tmp_path / "a.safetensors").tensors["gate_up"], Adapter(None))
    lazy = LazyTorchTensor.from_local_tensor(leaf)
    turned = lazy[..., :48].transpose(-1, -2)

    parts = segments(turned)

    assert [p.size for p in parts] == [48] * 4
    wanted = stack[..., :48].transpose(-1, -2)
    for expert, part in enumerate(parts):
        assert torch.equal(torch.cat([part.rows(0, 20), part.rows(20, 48)]), wanted[expert])
    assert len(segments(lazy.transpose(0, 1))) == 1, "experts that are mixed have to be evaluated together"
