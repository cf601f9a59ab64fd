"""`lorag up`: all services as child processes of one terminal, started, watched, restarted and stopped together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from lorag_cli.client import Client, CliError
from lorag_cli.output import err, out, print_json

STOP_SECONDS = 40.0
START_SECONDS = 120.0
TICK_SECONDS = 0.2
BACKOFF_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
# One that ran this long was well; the next fall starts the backoff anew.
STEADY_SECONDS = 60.0
LOOPBACK = "127.0.0.1"
NOT_ALLOWED = 4
COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_red")


class UpSettings(BaseSettings):
    """Where the services of this machine listen; environment, prefix `LORAG_`."""

    model_config = SettingsConfigDict(env_prefix="LORAG_", extra="ignore")

    host: str = "127.0.0.1"
    ollama_url: str = "http://127.0.0.1:11434"
    gateway_port: int = Field(default=8050, ge=1, le=65535)
    trainer_port: int = Field(default=50061, ge=1, le=65535)
    converter_port: int = Field(default=50062, ge=1, le=65535)
    indexer_port: int = Field(default=50063, ge=1, le=65535)
    qa_port: int = Field(default=50064, ge=1, le=65535)
    metrics_port: int = Field(default=0, ge=0, le=65500)

    @property
    def reach(self) -> str:
        """The address at which this machine itself reaches the services."""
        return "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host

    @property
    def gateway_url(self) -> str:
        """The gateway's address for clients on this machine."""
        return f"http://{self.reach}:{self.gateway_port}"


@dataclass
class Service:
    """One child process and its fate."""

    name: str
    port: int
    cure: str
    environment: dict[str, str]
    colour: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    falls: int = 0
    restart_at: float = field(default=0.0)


def model_server_version(url: str) -> str | None:
    """The version of the Ollama at `url`, None when none answers."""
    try:
        return str(
            httpx.get(f"{url.rstrip('/')}/api/version", timeout=2.0, trust_env=False)
            .raise_for_status()
            .json()["version"]
        )
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        return None


def plan(settings: UpSettings, *, with_runtime: bool) -> list[Service]:
    """The services to start, the model server first."""
    ports = {
        "trainer": settings.trainer_port,
        "converter": settings.converter_port,
        "indexer": settings.indexer_port,
        "qa": settings.qa_port,
        "gateway": settings.gateway_port,
    }
    shared = {f"LORAG_{n.upper()}_ADDRESS": f"{LOOPBACK}:{p}" for n, p in ports.items() if n != "gateway"}
    shared["LORAG_OLLAMA_URL"] = settings.ollama_url
    cures = {name: f"set LORAG_{name.upper()}_PORT to a free port" for name in ports}
    if with_runtime:
        ports = {"runtime": urlsplit(settings.ollama_url).port or 11434} | ports
        cures["runtime"] = "set LORAG_OLLAMA_URL to an address with a free port"
    return [
        # Only the gateway asks for keys, so only it may be reachable from other machines.
        Service(
            name,
            port,
            cures[name],
            shared
            | {"LORAG_HOST": settings.host if name == "gateway" else LOOPBACK, "LORAG_PORT": str(port)}
            # One port for all would be taken by the first: that one and those after it.
            | ({"LORAG_METRICS_PORT": str(settings.metrics_port + n)} if settings.metrics_port else {}),
            colour,
        )
        for n, ((name, port), colour) in enumerate(zip(ports.items(), COLOURS, strict=False))
    ]


def check_ports(services: list[Service], host: str) -> None:
    """Refuse to start when a port is taken.

    Raises:
        CliError: names the port, the service and the cure.
    """
    for service in services:
        address = host if service.name == "gateway" else LOOPBACK
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, service.port))
            except OSError as error:
                raise CliError(
                    f"Port {service.port}, which the {service.name} needs, is taken ({error.strerror}). Nothing was started.",
                    f"End the program that listens there (another `lorag up`?), or {service.cure}.",
                ) from error


class Supervisor:
    """Keeps the services running. All processes are started and awaited by the calling thread.

    Args:
        services: what to run, in this order.
    """

    def __init__(self, services: list[Service]) -> None:
        self.services = services
        self.stopping = threading.Event()
        self._lock = threading.Lock()

    def start(self, service: Service) -> None:
        """Start one service in a process group of its own, its output prefixed with its name."""
        service.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "lorag_cli.guard", f"lorag_{service.name}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **service.environment},
            start_new_session=True,
        )
        service.started = time.monotonic()
        threading.Thread(target=self._copy, args=(service, service.process), daemon=True).start()

    def tick(self) -> None:
        """Restart what has died, after a pause that grows with every fall."""
        now = time.monotonic()
        for service in self.services:
            if service.process is None:
                if now >= service.restart_at:
                    self.start(service)
                continue
            status = service.process.poll()
            if status is None:
                continue
            _kill_group(service.process)
            service.falls = 1 if now - service.started > STEADY_SECONDS else service.falls + 1
            pause = BACKOFF_SECONDS[min(service.falls, len(BACKOFF_SECONDS)) - 1]
            how = signal.Signals(-status).name if status < 0 else f"status {status}"
            err.print(f"[bold red]The {service.name} ended ({how}); it is started again in {pause:g} s.[/]")
            service.process, service.restart_at = None, now + pause

    def stop(self) -> None:
        """SIGTERM to all, up to 40 s to end in order, then SIGKILL to their process groups."""
        alive = [s.process for s in self.services if s.process is not None]
        for process in alive:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in alive:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                err.print(f"[red]Process {process.pid} did not end in {STOP_SECONDS:g} s; it is killed.[/]")
            _kill_group(process)
            process.wait()

    def _copy(self, service: Service, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            text = line.decode("utf-8", "replace").rstrip()
            with self._lock:
                err.print(f"{service.name:>9} │ ", style=service.colour, end="")
                err.print(text, markup=False, highlight=False)


def run(*, as_json: bool = False) -> int:
    """Run until SIGINT or SIGTERM; returns the exit status.

    Raises:
        CliError: a port is taken, or the named model server is elsewhere and does not answer.
    """
    settings = UpSettings()
    version = model_server_version(settings.ollama_url)
    if version is None and urlsplit(settings.ollama_url).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise CliError(
            f"The model server at {settings.ollama_url} does not answer.",
            "Start it there, or unset LORAG_OLLAMA_URL to use the embedded one.",
            code=3,
        )
    services = plan(settings, with_runtime=version is None)
    check_ports(services, settings.host)
    if version is not None:
        err.print(f"Using the model server at {settings.ollama_url} (version {version}).")
    supervisor = Supervisor(services)
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda *_: supervisor.stopping.set())
    try:
        for service in services:
            supervisor.start(service)
        announced, started = False, time.monotonic()
        next_probe = 0.0
        while not supervisor.stopping.wait(TICK_SECONDS):
            supervisor.tick()
            now = time.monotonic()
            if announced or now < next_probe:
                continue
            next_probe = now + 1.0
            announced = _announce_if_healthy(settings, as_json)
            if not announced and now - started > START_SECONDS:
                started = now
                err.print("[bold red]Not everything is healthy yet; the lines above say what is missing.[/]")
    finally:
        err.print("Stopping.")
        supervisor.stop()
    return 0


def _announce_if_healthy(settings: UpSettings, as_json: bool) -> bool:
    try:
        health = Client(settings.gateway_url).get("/health")
    except CliError as error:
        if error.code != NOT_ALLOWED:
            return False
        health = {"status": _ready(settings.gateway_url)}  # keys are asked for, and this terminal has none
    if health["status"] != "ok":
        return False
    if as_json:
        print_json({"up": "ok", "url": settings.gateway_url, "health": health})
    else:
        out.print(f"[bold green]LoRAG is ready at {settings.gateway_url}[/]  (Ctrl-C stops it)")
    return True


def _ready(url: str) -> str:
    try:
        return str(httpx.get(f"{url}/readyz", timeout=5.0, trust_env=False).json()["status"])
    except (httpx.HTTPError, ValueError, KeyError):
        return "unknown"


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Whatever is left of a service's process group; its jobs' children die by their own pipes."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    if process.stdin and process.poll() is not None:
        process.stdin.close()
