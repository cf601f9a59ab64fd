"""Every supported architecture, with an adapter: the converter's file and the classic route's have one SHA-256."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import transformers
from tiny_architectures import CASES, VARIATIONS

from lorag_common.artifacts import sha256_file
from lorag_converter.architectures import SUPPORTED

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "docs" / "architectures.md"
FAST = ("Qwen3", "Mixtral", "Llama 3, rope scaling")
HEAD = """# Architectures

Each row is a tiny model of that architecture with a LoRA adapter on it. The converter's one pass and the classic route
(PEFT merges, llama.cpp converts to F16, llama.cpp quantizes to Q4_K_M) write files with the same SHA-256. `make matrix`
runs all of it and holds this table to what it saw; an architecture that is not here is refused by name.

| Model | config.json says | Bytes equal |
|---|---|---|
"""


def run(*command: str) -> None:
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr[-3000:]


def held(name: str, work: Path) -> None:
    run(str(HERE / "tiny_architectures.py"), name, str(work))
    out = work / "stream.gguf"
    extra = ["--adapter", str(work / "adapter")] if (work / "adapter").exists() else []
    extra += ["--tokenizer", str(work / "tokenizer")] if (work / "tokenizer").exists() else []
    run("-m", "lorag_converter.export", str(work / "base"), *extra, "--out", str(out))
    assert sha256_file(out) == sha256_file(work / "classic.gguf")


@pytest.mark.parametrize("name", FAST)
def test_a_few_architectures(name: str, tmp_path: Path) -> None:
    held(name, tmp_path)


@pytest.mark.matrix
@pytest.mark.parametrize("name", [n for n in CASES if n not in FAST])
def test_every_architecture(name: str, tmp_path: Path) -> None:
    held(name, tmp_path)


@pytest.mark.matrix
@pytest.mark.parametrize("name", VARIATIONS)
def test_every_variation_of_base_and_adapter(name: str, tmp_path: Path) -> None:
    held(name, tmp_path)


def architecture(name: str) -> str:
    config = getattr(transformers, CASES[name].config)
    for mapping in (transformers.AutoModelForCausalLM, transformers.AutoModelForImageTextToText):
        if config in mapping._model_mapping:
            return str(mapping._model_mapping[config].__name__)
    raise AssertionError(name)


def test_what_is_supported_is_in_the_matrix_and_in_the_table() -> None:
    assert {architecture(name) for name in CASES} == set(SUPPORTED)
    rows = "".join(f"| {name} | {architecture(name)} | yes |\n" for name in CASES)
    rows += "\n| Base or adapter, on Qwen2 | Bytes equal |\n|---|---|\n" + "".join(
        f"| {n} | yes |\n" for n in VARIATIONS
    )
    if os.environ.get("LORAG_WRITE_TABLE"):
        TABLE.write_text(HEAD + rows)
    assert TABLE.read_text() == HEAD + rows
