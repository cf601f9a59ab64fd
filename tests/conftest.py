"""Shared by all tests: the count of what was skipped, at the end and aloud."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stack import Up, running

TINY_BASE = Path(__file__).resolve().parent.parent / "demo" / "tiny_base"

# Two busy OpenMP threads on two cores make a training step many times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(r.longrepr[2]) if isinstance(r.longrepr, tuple) else str(r.longrepr) for r in skipped)
    terminalreporter.section("what was skipped")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count:4d} x {reason}")
    terminalreporter.write_line(f"{len(skipped)} skipped in all")


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's tiny base as a Q4_K_M GGUF, made by the converter in a process of its own."""
    out = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    command = [sys.executable, "-m", "lorag_converter.export", str(TINY_BASE), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def shared_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One `lorag up` for all tests that only talk to the gateway; `ready_up` adds a release and documents."""
    with running(tmp_path_factory.mktemp("shared")) as found:
        yield found


@pytest.fixture(scope="session")
def ready_up(shared_up: Up, tmp_path_factory: pytest.TempPathFactory) -> Up:
    """`shared_up` with a fine-tuned release that answers, `edge:v1`, and the demo's documents."""
    from lorag_demo.documents import write_documents
    from lorag_demo.examples import DEMO_TRAINING, write_examples

    folder = tmp_path_factory.mktemp("ready")
    write_examples(folder / "examples.jsonl")
    dataset = shared_up.upload("/datasets", folder / "examples.jsonl")["dataset"]["id"]
    body = {"model": "edge", "base_model": "tiny_base", "dataset_id": dataset, "settings": DEMO_TRAINING}
    jobs = [shared_up.post("/pipelines", body)["job"]]
    assert shared_up.ended(jobs[0], 600)["state"] == "JOB_STATE_SUCCEEDED"
    for pdf in write_documents(folder):
        assert shared_up.ended(shared_up.upload("/documents", pdf)["job"])["state"] == "JOB_STATE_SUCCEEDED"
    return shared_up
