"""The command: help everywhere, exit codes for scripts, errors with a remedy, JSON and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from lorag_cli.client import Client, CliError
from lorag_cli.commands import answers
from lorag_cli.main import app

NOBODY = {"LORAG_GATEWAY_URL": "http://127.0.0.1:9"}


def lorag(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lorag_cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | NOBODY | environment)


def every_command() -> list[tuple[tuple[str, ...], object]]:
    found: list[tuple[tuple[str, ...], object]] = []

    def walk(command: object, path: tuple[str, ...]) -> None:
        inner = getattr(command, "commands", None)
        if inner:
            for name, one in inner.items():
                walk(one, (*path, name))
        else:
            found.append((path, command))

    walk(get_command(app), ())
    return found


@pytest.mark.parametrize(
    ("path", "command"), every_command(), ids=lambda p: " ".join(p) if isinstance(p, tuple) else ""
)
def test_every_command_says_what_it_does_and_speaks_json(
    path: tuple[str, ...], command: typer.core.TyperCommand
) -> None:
    assert command.help
    assert any("--json" in p.opts for p in command.params), path


def test_a_gateway_that_is_not_there_is_exit_code_3_with_a_remedy() -> None:
    done = lorag("jobs", "--json")
    assert done.returncode == 3
    assert done.stdout == ""
    assert "lorag up" in done.stderr and "Traceback" not in done.stderr


def test_wrong_use_is_exit_code_2() -> None:
    assert lorag("jobs", "--cancel").returncode == 2
    assert lorag("no-such-command").returncode == 2


@pytest.mark.parametrize(
    ("reason", "code"), [("KEY_MISSING", 4), ("SCOPE_TOO_SMALL", 4), ("SERVICE_UNAVAILABLE", 3), ("X", 1)]
)
def test_the_reason_decides_the_exit_code(reason: str, code: int) -> None:
    problem = {"detail": "d", "remedy": "r", "reason": reason}
    client = Client("http://x", httpx.MockTransport(lambda _: httpx.Response(400, json=problem)))
    with pytest.raises(CliError) as error:
        client.get("/jobs")
    assert (error.value.code, error.value.remedy) == (code, "r")


def test_an_answer_shows_what_the_documents_do_not_support_and_that_they_do_not_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def sentence(text: str, status: str, reason: str = "") -> dict[str, object]:
        return {"text": text, "status": f"SENTENCE_STATUS_{status}", "reason": reason, "withheld": False}

    found = {"cited": [], "refusal": "資料からは、この質問の答えを確かめられませんでした。"}
    found["sentences"] = [
        sentence("定員は97人です。", "CONTRADICTED", "the passage has no 97 here"),
        sentence("はい。", "NO_CLAIM"),
    ]  # type: ignore[assignment]

    class Answering:
        def answer(self, _: object) -> Iterator[tuple[str, object]]:
            yield "sources", {"sources": [], "notices": ["by keywords alone"]}
            yield "text", {"text": "定員は97人です。はい。"}
            yield "end", found

    monkeypatch.setattr(answers, "client", Answering)
    shown = CliRunner().invoke(app, ["ask", "定員は？"]).output.replace("\n", "")
    assert "The documents say otherwise: 定員は97人です。 (the passage has no 97 here)" in shown
    assert "by keywords alone" in shown and str(found["refusal"]) in shown
    assert shown.count("はい。") == 1, "what claims nothing is not doubted"


def test_the_key_of_the_environment_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORAG_API_KEY", "lorag_1_secret")
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200, json={})

    Client("http://x", httpx.MockTransport(answer)).get("/jobs")
    assert seen == ["Bearer lorag_1_secret"]


def test_keys_are_made_listed_and_revoked_without_a_gateway(tmp_path: Path) -> None:
    made = json.loads(lorag("key", "create", "a", "--scope", "admin", "--json", LORAG_DATA=str(tmp_path)).stdout)
    assert made["secret"].startswith(f"lorag_{made['key']['id']}_")
    listed = json.loads(lorag("key", "list", "--json", LORAG_DATA=str(tmp_path)).stdout)["keys"]
    assert [k["name"] for k in listed] == ["a"] and "sha256" not in listed[0]
    assert lorag("key", "revoke", made["key"]["id"], LORAG_DATA=str(tmp_path)).returncode == 0
    assert lorag("key", "revoke", made["key"]["id"], LORAG_DATA=str(tmp_path)).returncode == 1


def test_doctor_names_a_cure_for_whatever_is_not_well(tmp_path: Path) -> None:
    done = lorag("doctor", "--json", LORAG_DATA=str(tmp_path))
    findings = json.loads(done.stdout)["findings"]
    assert {"GPU", "RAM", "Disk", "Ollama", "Weaviate", "Python"} <= {f["what"] for f in findings}
    assert all(f["cure"] for f in findings if f["level"] == "bad")
    assert done.returncode == int(any(f["level"] == "bad" for f in findings))


def test_a_gateway_beyond_loopback_does_not_start_without_a_key(tmp_path: Path) -> None:
    environment = {"LORAG_HOST": "0.0.0.0", "LORAG_DATA": str(tmp_path), "LORAG_PORT": "0"}
    command = [sys.executable, "-m", "lorag_gateway"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | environment, timeout=60
    )
    assert done.returncode == 1
    assert "lorag key create" in done.stderr and "Traceback" not in done.stderr
