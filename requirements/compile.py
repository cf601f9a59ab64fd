"""Write requirements/lock.txt: one set of versions, with hashes and without host names, for every distribution here.

torch stays out of it (its CPU and CUDA builds differ in what they need); `make setup` installs it first, by version.
Beside it, images/<service>.txt names what each image holds of the lock.
"""

from __future__ import annotations

import re
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
# What an image is made of: our own distributions, apart from common and protos, which are in all. The command is in the
# gateway's for what is done beside the services (keys, backups); without the demo, which would bring torch.
IMAGES = {
    "gateway": ["gateway", "cli"],
    "trainer": ["services/trainer"],
    "converter": ["services/converter"],
    "indexer": ["services/indexer"],
    "qa": ["services/qa"],
    "runtime": ["services/runtime"],
}
# Whatever torch brings of its own is its build's affair.
TORCH_ONLY = ("nvidia-", "cuda-", "triton")


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
            skip = line.startswith(TORCH_ONLY)
        if not skip:
            kept.append(line)
    (ROOT / "requirements" / "lock.txt").write_text("\n".join(kept))
    for image, folders in IMAGES.items():
        names = image_names(["protos", "services/common", *folders])
        (ROOT / "requirements" / "images" / f"{image}.txt").write_text("\n".join(names) + "\n")


def image_names(folders: list[str]) -> list[str]:
    """Names of all that these distributions need, at any depth, out of the lock."""
    wanted = [TORCH] if any("torch" in r for f in folders for r in dependencies(f)) else []
    wanted += [r for f in folders for r in dependencies(f) if not r.startswith("lorag-")]
    lock = (ROOT / "requirements" / "lock.txt").read_text()
    pins = re.findall(r"^[a-z0-9][^ ]*==[^ ;]+", lock, flags=re.MULTILINE)
    with tempfile.NamedTemporaryFile("w", suffix=".in") as asked, tempfile.NamedTemporaryFile("w") as constraints:
        asked.write("\n".join(wanted))
        asked.flush()
        constraints.write("\n".join(pins))
        constraints.flush()
        command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--python-version", "3.11", "--no-header"]
        command += ["--no-annotate", "--no-emit-index-url", "--constraint", constraints.name, asked.name]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    names = [line.partition("==")[0] for line in found.splitlines() if "==" in line]
    return [n for n in names if n not in LEFT_OUT and not n.startswith(TORCH_ONLY)]


def dependencies(folder: str) -> list[str]:
    """What one of our distributions asks for."""
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
    return [str(r) for r in project.get("dependencies", [])]


if __name__ == "__main__":
    main()
