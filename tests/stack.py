"""A running `lorag up`, as a user has it, on free ports over a data folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from lorag_cli.demo import _free_ports

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("gateway", "trainer", "converter", "indexer", "qa", "runtime")


class Gateway:
    """What a client does; whoever runs the services gives `http`, and `tail` for when something is wrong."""

    http: httpx.Client

    def tail(self) -> str:
        raise NotImplementedError

    def post(self, path: str, body: Any, status: int = 0) -> dict[str, Any]:
        answer = self.http.post(path, json=body)
        assert answer.status_code == status or (not status and answer.is_success), answer.text
        return dict(answer.json())

    def upload(self, path: str, file: Path, status: int = 0) -> dict[str, Any]:
        answer = self.http.post(path, files={"file": (file.name, file.read_bytes())})
        assert answer.status_code == status or (not status and answer.is_success), answer.text
        return dict(answer.json())

    def ended(self, job: dict[str, Any], seconds: float = 180) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                found = self.http.get(f"/jobs/{job['id']}").json()
                state = found.get("job", found).get("state", "")
                if state in ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED"):
                    return dict(found.get("job", found))
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise AssertionError(f"{job['id']} did not end; {self.tail()}")

    def ask(self, question: str) -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
        text, sources, end, event = "", [], {}, ""
        with self.http.stream("POST", "/answers", json={"question": question, "temperature": 0, "top_k": 3}) as answer:
            for line in answer.iter_lines():
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:"):
                    data = json.loads(line[5:])
                    assert event != "error", data
                    if event == "sources":
                        sources = data["sources"]
                    elif event == "text":
                        text += data["text"]
                    elif event == "end":
                        end = data
        return text, sources, end


class Up(Gateway):
    """One `lorag up` on free ports over a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.models = folder / "models"
        self.models.mkdir()
        (self.models / "tiny_base").symlink_to(ROOT / "demo" / "tiny_base")
        self.ports = dict(zip(NAMES, _free_ports(len(NAMES)), strict=True))
        ports = {f"LORAG_{n.upper()}_PORT": str(p) for n, p in self.ports.items() if n != "runtime"}
        self.model_server = f"http://127.0.0.1:{self.ports['runtime']}"
        self.environment = (
            os.environ
            | ports
            | {
                "LORAG_DATA": str(self.data),
                "LORAG_MODEL_ROOTS": f"{self.models}{os.pathsep}{ROOT / 'demo'}",
                "LORAG_OLLAMA_URL": self.model_server,
                "LORAG_CHUNK_SENTENCES": "2",
                "PYTHONUNBUFFERED": "1",
                "LORAG_REQUESTS_PER_MINUTE": "0",
            }
        )
        self.log = folder / "up.log"
        self.url = f"http://127.0.0.1:{self.ports['gateway']}"
        self.http = httpx.Client(base_url=f"{self.url}/api/v1", timeout=60)
        self.process = self.start()

    def tail(self) -> str:
        return self.log.read_text()[-3000:]

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "lorag_cli", "up"]
            return subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, start_new_session=True)

    def wait_healthy(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.tail()
            try:
                if self.http.get("/health").json()["status"] == "ok":
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise AssertionError(self.tail())

    def service(self, name: str) -> psutil.Process:
        for child in psutil.Process(self.process.pid).children():
            try:
                if f"lorag_{name}" in " ".join(child.cmdline()):
                    return child
            except (psutil.ZombieProcess, psutil.NoSuchProcess):
                continue  # a service that was killed a moment ago, or one that is being started again
        raise AssertionError(f"no {name}")


@contextmanager
def running(folder: Path) -> Iterator[Up]:
    """Start, wait until it is healthy, and stop by Ctrl-C; then nothing of it may be left."""
    found = Up(folder)
    try:
        found.wait_healthy()
        yield found
    finally:
        family = psutil.Process(found.process.pid).children(recursive=True) if found.process.poll() is None else []
        found.process.send_signal(signal.SIGINT)
        found.process.wait(60)
        _, alive = psutil.wait_procs(family, timeout=5)
        assert not alive, "Ctrl-C left processes"
