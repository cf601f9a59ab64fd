"""Without a working C compiler the converter installs all the same, quantizes through ggml, and says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lorag_common.artifacts import sha256_file
from lorag_converter import vendor

REPOSITORY = Path(__file__).resolve().parents[2]
TINY_BASE = REPOSITORY / "demo" / "tiny_base"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a converter that was installed with CC=false."""
    work = tmp_path_factory.mktemp("without-compiler")
    source, target = work / "converter", work / "site"
    shutil.copytree(
        REPOSITORY / "services" / "converter",
        source,
        ignore=shutil.ignore_patterns("vendor", "*.so", "build", "*.egg-info", "__pycache__"),
    )
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", str(target)]
    done = subprocess.run(
        [*pip, str(source)], capture_output=True, text=True, env=os.environ | {"CC": "false"}, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not list(target.rglob("*.so"))
    return os.environ | {"PYTHONPATH": str(target), "LORAG_LLAMA_CPP": str(vendor.folder())}


def run(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_says_that_ggml_quantizes(installed: dict[str, str]) -> None:
    where = run(installed, "-c", "import lorag_converter; print(lorag_converter.__file__)")
    assert where.startswith(installed["PYTHONPATH"])

    assert run(installed, "-m", "lorag_converter.native").startswith("ggml (the native kernel was not built: no C")


def test_it_writes_the_same_file(installed: dict[str, str], tiny_gguf: Path, tmp_path: Path) -> None:
    report = run(installed, "-m", "lorag_converter.export", str(TINY_BASE), "--out", str(tmp_path / "tiny.gguf"))

    assert '"kernel": "ggml"' in report
    assert sha256_file(tmp_path / "tiny.gguf") == sha256_file(tiny_gguf)
