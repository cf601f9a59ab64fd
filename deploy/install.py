"""Install one part of an image, and no more than that, out of the lock. Run by the Dockerfile.

    install.py common               what every image holds
    install.py torch TORCH          torch, by the requirement given, and what trainer and converter share
    install.py SERVICE              what this service's image holds beyond those
    install.py own SERVICE          our own distributions for it, from /own
    install.py pinned NAME          one thing for building, by pip

Versions and hashes come from requirements/lock.txt, and requirements/images/ says what is in which image. Two things are
installed by version alone, because their builds differ: torch (CPU, CUDA) and llama-cpp-python (compiled before).
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LOCK = ROOT / "requirements" / "lock.txt"
IMAGES = ROOT / "requirements" / "images"
WITH_TORCH = ("trainer", "converter")
LLAMA = "llama-cpp-python"


def blocks() -> dict[str, str]:
    """Name -> its lines of the lock: version, marker and hashes."""
    path = LOCK if LOCK.exists() else ROOT / "lock.txt"
    found = re.findall(r"^([a-z0-9][a-z0-9._-]*)(==.*(?:\n .*)*)", path.read_text(), flags=re.MULTILINE)
    return {name: name + rest for name, rest in found}


def names(*images: str) -> set[str]:
    """What all of these images hold."""
    return set.intersection(*(set((IMAGES / f"{i}.txt").read_text().split()) for i in images))


def common() -> set[str]:
    """What every image holds."""
    return names(*(path.stem for path in IMAGES.glob("*.txt")))


PIP = [sys.executable, "-m", "pip", "install", "--root-user-action", "ignore", "--disable-pip-version-check"]
# Compiled to bytecode, since nothing can be written later.
UV = ["uv", "pip", "install", "--system", "--compile-bytecode", "--link-mode", "copy"]


def run(tool: list[str], *arguments: str) -> None:
    """Install something."""
    subprocess.run([*tool, *arguments], check=True)


def install(wanted: set[str], tool: list[str] = UV) -> None:
    """Install these out of the lock, by their hashes."""
    locked = blocks()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(locked[name] for name in sorted(wanted)))
        file.flush()
        run(tool, "--no-deps", "--require-hashes", "-r", file.name)


def install_torch(requirement: str) -> None:
    """torch with whatever its build needs, at the lock's versions where the lock has them."""
    pins = [block.partition(" \\\n")[0] for name, block in blocks().items() if name != LLAMA]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pins))
        file.flush()
        run(UV, "--find-links", "/wheels", "--constraint", file.name, requirement)


def main(part: str, detail: str = "") -> None:
    """Install one part."""
    if part == "common":
        install(common())
    elif part == "torch":
        install_torch(detail)
        install(names(*WITH_TORCH) - common() - {LLAMA})
    elif part == "own":
        also = ["lorag-cli"] if detail == "gateway" else []
        run(
            UV,
            "--no-deps",
            "--no-index",
            "--find-links",
            "/own",
            "lorag-protos",
            "lorag-common",
            f"lorag-{detail}",
            *also,
        )
    elif part == "pinned":
        install({detail}, PIP)
    else:
        wanted = names(part) - common() - (names(*WITH_TORCH) if part in WITH_TORCH else set())
        install(wanted - {LLAMA})
        if LLAMA in names(part):
            run(UV, "--no-deps", "--no-index", "--find-links", "/llama", LLAMA)


if __name__ == "__main__":
    main(*sys.argv[1:])
