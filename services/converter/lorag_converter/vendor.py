"""llama.cpp's own Hugging Face -> GGUF mapping, unpacked from the pinned llama-cpp-python source; never committed.

    python -m lorag_converter.vendor [FOLDER]

Run by `make setup` and at image build. The mapping (`conversion/`, one module a model family) and the matching `gguf`
package are MIT-licensed; their licence files are unpacked beside them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from lorag_common.artifacts import sha256_file
from lorag_common.errors import LoragError, Reason

VERSION = "0.3.36"
SDIST_SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
PREFIX = f"llama_cpp_python-{VERSION}/vendor/llama.cpp/"
WANTED = ("conversion/", "gguf-py/gguf/", "LICENSE", "gguf-py/LICENSE")
DEFAULT = Path(__file__).resolve().parent.parent / "vendor" / "llama.cpp"


def folder() -> Path:
    """Where the mapping is: LORAG_LLAMA_CPP, or beside this package."""
    return Path(os.environ.get("LORAG_LLAMA_CPP") or DEFAULT)


def activate() -> None:
    """Put the mapping before everything else on the import path, its `gguf` before PyPI's older one.

    Raises:
        LoragError: TOOLS_MISSING when it was never unpacked.
    """
    root = folder()
    if not (root / "conversion" / "__init__.py").is_file():
        raise LoragError(
            Reason.TOOLS_MISSING,
            "llama.cpp's mapping is not unpacked.",
            remedy="Run `make setup` (or `python -m lorag_converter.vendor`).",
        )
    for path in (str(root / "gguf-py"), str(root)):
        if path not in sys.path:
            sys.path.insert(0, path)


def unpack(sdist: Path, target: Path) -> int:
    """Unpack what is wanted of the sdist below `target`; the number of files.

    Raises:
        LoragError: TOOLS_MISSING when it is not the pinned file.
    """
    if (found := sha256_file(sdist)) != SDIST_SHA256:
        raise LoragError(Reason.TOOLS_MISSING, f"{sdist.name} has sha256 {found}, expected {SDIST_SHA256}.")
    count = 0
    with tarfile.open(sdist) as archive:
        for member in archive:
            inner = member.name.removeprefix(PREFIX)
            if member.isfile() and inner != member.name and inner.startswith(WANTED):
                member.name = inner
                archive.extract(member, target, filter="data")
                count += 1
    return count


def main(argv: list[str]) -> int:
    """Fetch the pinned source by pip (from its cache where it can) and unpack it; nothing to do when it is there."""
    target = Path(argv[0]) if argv else folder()
    stamp = target / ".sha256"
    if stamp.is_file() and stamp.read_text() == SDIST_SHA256:
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "llama-cpp-python"]
        subprocess.run([*pip, "-d", scratch, f"llama-cpp-python=={VERSION}"], check=True)
        (sdist,) = Path(scratch).glob("*.tar.gz")
        count = unpack(sdist, target)
    stamp.write_text(SDIST_SHA256)
    print(f"unpacked {count} files of llama.cpp's mapping")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
