"""Every operation of the OpenAPI, with what schemathesis makes up: no 5xx, no undocumented status, shapes as described."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack import Up, running

from lorag_demo.documents import write_documents

# What a finding would be repeated by; a run of the same seed asks the same.
SEED = 20261125
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A stack of its own, with a release and a document: made-up requests change settings, which other tests rely on."""
    with running(tmp_path_factory.mktemp("made-up")) as found:
        body = {"model": "edge", "base_model": "tiny_base", "base_only": True, "evaluate": False}
        assert found.ended(found.post("/pipelines", body)["job"])["state"] == "JOB_STATE_SUCCEEDED"
        first = write_documents(tmp_path_factory.mktemp("documents"))[0]
        assert found.ended(found.upload("/documents", first)["job"])["state"] == "JOB_STATE_SUCCEEDED"
        yield found


def run(up: Up, folder: Path, examples: int, *more: str) -> None:
    description = up.http.get("/openapi.json").json()
    (folder / "openapi.json").write_text(json.dumps(description))
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "run",
        str(folder / "openapi.json"),
        f"--url={up.url}",
        f"--checks={CHECKS}",
        f"--max-examples={examples}",
        f"--seed={SEED}",
        "--suppress-health-check=all",
        "--request-timeout=60",
        "--continue-on-failure",
        "--no-color",
        *more,
    ]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "160"}
    )
    # Bodies of binary nonsense say nothing to a reader; the command to repeat a finding is in the log beside them.
    shown = "\n".join(line[:300] for line in done.stdout.splitlines() if "curl" not in line and len(line) < 2000)
    assert done.returncode == 0, shown[-8000:] + done.stderr[-2000:]
    operations = sum(len(methods) for methods in description["paths"].values())
    assert f"{operations} selected / {operations} total" in done.stdout


def test_every_operation_keeps_to_its_description(up: Up, tmp_path: Path) -> None:
    run(up, tmp_path, 1, "--phases=examples,coverage,fuzzing")


@pytest.mark.slow
def test_every_operation_many_times(up: Up, tmp_path: Path) -> None:
    run(up, tmp_path, 60, "--phases=examples,coverage,fuzzing")
