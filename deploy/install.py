"""Install one service with what it needs, and no more, into the active environment. Run by the Dockerfile.

    python install.py SERVICE TORCH WHEELS

Versions and hashes come from requirements/lock.txt as constraints, so that an image is what the tests ran with.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WITH_TORCH = {"trainer", "converter"}


def pins() -> str:
    """The lock without hashes: pip takes no hashes in a constraints file."""
    lines = (ROOT / "requirements" / "lock.txt").read_text().splitlines()
    return "\n".join(re.sub(r"\s*\\$", "", line) for line in lines if line and not line.startswith((" ", "#")))


def main(service: str, torch: str, wheels: str) -> None:
    """Install torch where it is needed, then the service and our own distributions it depends on."""
    folder = ROOT / "gateway" if service == "gateway" else ROOT / "services" / service
    own = [str(ROOT / "protos"), str(ROOT / "services" / "common"), str(folder)]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write(pins())
        constraints.flush()
        pip = [sys.executable, "-m", "pip", "install", "--find-links", wheels]
        if service in WITH_TORCH:
            subprocess.run([*pip, torch], check=True)
        subprocess.run([*pip, "--constraint", constraints.name, *own], check=True)
    if service == "converter":
        subprocess.run([sys.executable, "-m", "lorag_converter.vendor", f"{sys.prefix}/llama.cpp"], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
