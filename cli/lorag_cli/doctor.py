"""`lorag doctor`: what this machine has and what is missing, each with its cure."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import psutil

from lorag_cli.up import UpSettings, model_server_version

GIB = 2**30
# A 7B model's conversion and index fit comfortably; less works for small models and is said.
RAM_BYTES, DISK_BYTES = 8 * GIB, 20 * GIB
PARTS = ("trainer", "converter", "indexer", "qa", "gateway", "runtime")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `level` is ok, note (works, but know it) or bad."""

    what: str
    level: str
    found: str
    cure: str = ""


def examine() -> list[Finding]:
    """Look at everything."""
    settings = UpSettings()
    found = [_python(), _gpu(), _memory(), _disk(), *_parts(), _libraries(), _kernel(), _page_libraries()]
    return [*found, *_ports(settings), _model_server(settings), _weaviate()]


def as_dicts(findings: list[Finding]) -> list[dict[str, str]]:
    """For JSON."""
    return [asdict(f) for f in findings]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info[:2] == (3, 11)
    return Finding("Python", "ok" if good else "note", version, "" if good else "The lock is made for Python 3.11.")


def _gpu() -> Finding:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Finding(
            "GPU", "note", "no NVIDIA driver", "Everything runs on the CPU; install the driver to use a GPU."
        )
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("GPU", "bad", f"nvidia-smi failed: {type(error).__name__}", "Reinstall the NVIDIA driver.")
    return Finding("GPU", "ok", "; ".join(done.stdout.strip().splitlines()))


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    text = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free"
    good = memory.available >= RAM_BYTES
    return Finding("RAM", "ok" if good else "note", text, "" if good else "End other programs before larger models.")


def _disk() -> Finding:
    folder = Path(os.environ.get("LORAG_DATA", "data")).expanduser().resolve()
    place = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(place).free
    if not os.access(place, os.W_OK):
        return Finding("Data folder", "bad", f"{folder} cannot be written", "Name another folder in LORAG_DATA.")
    good = free >= DISK_BYTES
    cure = "" if good else "Free some disk space, or name a folder on another disk in LORAG_DATA."
    return Finding("Disk", "ok" if good else "note", f"{free / GIB:.1f} GiB free for {folder}", cure)


def _parts() -> list[Finding]:
    missing = [p for p in PARTS if importlib.util.find_spec(f"lorag_{p}") is None]
    if missing:
        return [Finding("Services", "bad", f"not installed: {', '.join(missing)}", "Run `make setup`.")]
    return [Finding("Services", "ok", ", ".join(PARTS))]


def _libraries() -> Finding:
    versions = []
    for name in ("torch", "transformers", "peft", "llama-cpp-python", "grpcio", "ollama"):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            return Finding("Libraries", "bad", f"{name} is missing", "Run `make setup`.")
    return Finding("Libraries", "ok", ", ".join(versions))


def _kernel() -> Finding:
    # Asked of the converter in a process of its own: it may be absent here, and this command must not need it.
    done = subprocess.run(
        [sys.executable, "-m", "lorag_converter.native"], capture_output=True, text=True, timeout=30, check=False
    )
    if done.returncode != 0:
        return Finding("Quantizer", "bad", "the converter is not installed", "Run `make setup`.")
    text = done.stdout.strip()
    if text.startswith("native"):
        return Finding("Quantizer", "ok", text)
    return Finding("Quantizer", "note", text, "Exports are right, and slower. Install a C compiler, then `make setup`.")


def _page_libraries() -> Finding:
    spec = importlib.util.find_spec("lorag_gateway")
    folder = Path(spec.origin or "").parent / "pages" / "static" / "vendor" if spec else Path()
    if (folder / "uplot.js").exists():
        return Finding("Page libraries", "ok", "there")
    return Finding("Page libraries", "note", "missing: charts and Markdown are shown plainly", "Run `make web`.")


def _ports(settings: UpSettings) -> list[Finding]:
    """A taken port is right when LoRAG itself has it."""
    running = _answers(f"{settings.gateway_url}/livez")
    found = []
    for name in PARTS[:-1]:
        port = getattr(settings, f"{name}_port")
        taken = _taken(port)
        if not taken:
            found.append(Finding(f"Port {port}", "ok", f"free for the {name}"))
        elif running:
            found.append(Finding(f"Port {port}", "ok", f"LoRAG is running ({name})"))
        else:
            cure = f"End the program that listens there, or set LORAG_{name.upper()}_PORT."
            found.append(Finding(f"Port {port}", "bad", f"taken; the {name} needs it", cure))
    return found


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _model_server(settings: UpSettings) -> Finding:
    version = model_server_version(settings.ollama_url)
    if version:
        return Finding("Ollama", "ok", f"{version} at {settings.ollama_url}")
    return Finding(
        "Ollama",
        "note",
        f"nothing answers at {settings.ollama_url}",
        "`lorag up` starts the embedded runtime; for Ollama itself: `ollama serve`.",
    )


def _weaviate() -> Finding:
    url = os.environ.get("LORAG_WEAVIATE_URL", "")
    if not url:
        return Finding("Weaviate", "ok", "not asked for; the embedded store is used")
    if _answers(f"{url.rstrip('/')}/v1/.well-known/ready"):
        return Finding("Weaviate", "ok", url)
    return Finding("Weaviate", "bad", f"{url} does not answer", "Start it, or unset LORAG_WEAVIATE_URL.")
