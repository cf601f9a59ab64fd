"""The embedded variant in a real Docker Engine: images built from nothing, all services up, everything removed again."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from stack import Gateway

from lorag_common import certificates

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "lock.txt"
SERVICES = ("gateway", "trainer", "converter", "indexer", "qa", "runtime")
# Set while the images are built and the services run; it may be found in no image.
SECRET = "hf-not-to-be-found-in-any-image"
VARIABLE = "LORAG_DOCKER_UP"
REPORT: list[str] = []


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if REPORT:
        terminalreporter.section("docker compose")
        for line in REPORT:
            terminalreporter.write_line(line)


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    REPORT.append(f"{time.monotonic() - started:7.1f} s  {what}")


class Compose(Gateway):
    """One project of the embedded variant, reached through the gateway's published port."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.project = environment["COMPOSE_PROJECT_NAME"]
        self.http = httpx.Client(base_url="http://127.0.0.1:8050/api/v1", timeout=120)

    def run(self, *command: str, check: bool = True) -> str:
        """A command with this project's environment; its output."""
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-3000:]}{done.stderr[-6000:]}"
        return done.stdout

    def compose(self, *command: str, check: bool = True) -> str:
        return self.run("docker", "compose", *command, check=check)

    def container(self, service: str) -> str:
        return f"{self.project}-{service}-1"

    def inspect(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.run("docker", "inspect", name))[0])

    def image(self, service: str) -> dict[str, Any]:
        return self.inspect(f"lorag-{service}:{self.environment['LORAG_VERSION']}")

    def logs(self, service: str) -> list[dict[str, Any]]:
        """The JSON lines that a service has logged."""
        lines = self.run("sh", "-c", f"docker logs {self.container(service)} 2>&1").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def tail(self) -> str:
        return self.compose("logs", "--no-color", "--tail", "40", check=False)[-6000:]

    def wait_healthy(self, *services: str, seconds: float = 120) -> None:
        """Until Docker calls these containers healthy."""
        deadline = time.monotonic() + seconds
        missing = list(services)
        while missing and time.monotonic() < deadline:
            states = {s: self.inspect(self.container(s))["State"] for s in missing}
            missing = [s for s, state in states.items() if state.get("Health", {}).get("Status") != "healthy"]
            time.sleep(0.5)
        assert not missing, f"{missing} did not get healthy\n{self.tail()}"


def engine() -> dict[str, str]:
    """The environment in which `docker` finds an engine; starts one where LORAG_DOCKER_UP says how. Skips aloud."""
    up = os.environ.get(VARIABLE, "")
    if not up:
        pytest.skip(
            f"NO DOCKER ENGINE: {VARIABLE} is not set, so no image was built and no compose file was run "
            "(make compose-test uses the engine that is there)"
        )
    said = subprocess.run(shlex.split(up), stdout=subprocess.PIPE, text=True, check=False)
    if said.returncode:
        pytest.skip(f"NO DOCKER ENGINE: {VARIABLE} is '{up}', and it could not start one (status {said.returncode})")
    exports = dict(re.findall(r"^export (\w+)=(\S+)$", said.stdout, flags=re.MULTILINE))
    environment = os.environ | exports
    subprocess.run(["docker", "info"], env=environment, stdout=subprocess.DEVNULL, check=True)
    return environment


def wheels(folder: Path) -> Path:
    """The two heavy wheels as pip has them here, in its cache or on this machine's disk, to be handed to the builder."""
    folder.mkdir()
    pinned = re.search(r"^llama-cpp-python==[0-9.]+", LOCK.read_text(), re.MULTILINE)
    torch = re.search(r"^TORCH := (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert pinned and torch
    pip = [sys.executable, "-m", "pip"]
    # Not compiled here: where pip has no wheel of it, the image's own stage builds one.
    cached = subprocess.run([*pip, "cache", "list", "llama_cpp_python"], capture_output=True, text=True, check=False)
    if pinned[0].partition("==")[2] in cached.stdout:
        subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", str(folder), pinned[0]], check=True)
    subprocess.run([*pip, "download", "-q", "--no-deps", "-d", str(folder), torch[1]], check=True)
    return folder


def certified(folder: Path) -> Path:
    """Certificates that the containers' user can read."""
    for made in certificates.make(folder, days=1):
        for path in made.iterdir():
            os.chown(path, 10001, 10001) if os.geteuid() == 0 else path.chmod(0o644)
    return folder


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    with timed("an engine"):
        environment = engine()
    environment |= {
        "COMPOSE_FILE": f"docker-compose.yml{os.pathsep}deploy/compose.embedded.yml",
        "COMPOSE_PROJECT_NAME": f"lorag-test-{os.getpid()}",
        "LORAG_VERSION": "test",
        "LORAG_MODELS": str(ROOT / "demo"),
        "LORAG_CHUNK_SENTENCES": "2",
        "LORAG_TRACES": "file",
        "HF_TOKEN": SECRET,
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "LORAG_CERTIFICATES": str(certified(tmp_path_factory.mktemp("tls"))),
    }
    with timed("wheels out of pip's cache"):
        environment["LORAG_WHEELS"] = str(wheels(tmp_path_factory.mktemp("wheels") / "wheels"))
    found = Compose(environment)
    try:
        with timed("build of every image"):
            found.compose("--progress", "plain", "build")
        with timed("up --wait"):
            found.compose("up", "--detach", "--wait", "--no-build")
        yield found
    finally:
        found.compose("down", "--volumes", "--timeout", "5", check=False)
