"""Write requirements/lock.txt: one set of versions, with hashes and without host names, for every distribution here.

torch stays out of it (its CPU and CUDA builds differ in what they need); `make setup` installs it first, by version.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TORCH = "torch==2.13.0"
LEFT_OUT = ["torch", "triton", "setuptools"]
# Extras that no default environment has: the indexer's local embedder brings torch along.
UNLOCKED_EXTRAS = {"local"}


def distributions() -> list[Path]:
    """Folders of our own distributions, dependencies first."""
    listed = (ROOT / "requirements" / "distributions.txt").read_text().split()
    return [ROOT / name for name in listed]


def requirements() -> list[str]:
    """Everything our distributions and tools ask for, except each other."""
    wanted = (ROOT / "requirements" / "dev.in").read_text().splitlines()
    for folder in distributions():
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        groups = project.get("optional-dependencies", {})
        extras = [r for name, group in groups.items() if name not in UNLOCKED_EXTRAS for r in group]
        wanted += [*project.get("dependencies", []), *extras]
    return sorted({r for r in wanted if r and not r.startswith(("#", "lorag-"))})


def main() -> None:
    """Resolve, or with `--upgrade` resolve anew."""
    with tempfile.NamedTemporaryFile("w", suffix=".in") as wanted:
        wanted.write("\n".join([*requirements(), TORCH]))
        wanted.flush()
        omit = [flag for name in LEFT_OUT for flag in ("--no-emit-package", name)]
        command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--python-version", "3.11"]
        command += ["--generate-hashes", "--no-header", "--no-emit-index-url", "--no-annotate", *omit, *sys.argv[1:]]
        command += [wanted.name, "--output-file", str(ROOT / "requirements" / "lock.txt")]
        subprocess.run(command, check=True)
    lock = (ROOT / "requirements" / "lock.txt").read_text()
    blocks = lock.split("\n")
    kept, skip = [], False
    for line in blocks:
        if line and not line.startswith((" ", "#")):
            skip = line.startswith(("nvidia-", "cuda-", "triton"))
        if not skip:
            kept.append(line)
    (ROOT / "requirements" / "lock.txt").write_text("\n".join(kept))


if __name__ == "__main__":
    main()
