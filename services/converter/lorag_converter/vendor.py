"""`python -m lorag_converter.vendor [FOLDER]`: fetch and unpack llama.cpp's mapping, once, at set-up.

pip downloads the pinned source distribution of llama-cpp-python (or takes it from its cache or from PIP_FIND_LINKS);
nothing is compiled. Its sha256 is checked, and the few files needed are unpacked with their licences.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from lorag_common.artifacts import sha256_file
from lorag_converter import llama_cpp_source
from lorag_converter.llama_cpp_source import STAMP, VERSION

PROJECT = "llama-cpp-python"
SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
"""Of the source distribution of VERSION."""
INSIDE = PurePosixPath(f"llama_cpp_python-{VERSION}") / "vendor" / "llama.cpp"


def download(into: Path) -> Path:
    """The source distribution, by pip, which knows the user's registry, proxy and cache; checked.

    Raises:
        SystemExit: pip failed, or the file is not the pinned one.
    """
    # Building stays isolated: pip asks the build backend for metadata, and that backend is not installed here.
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", PROJECT]
    if subprocess.run([*pip, "--dest", str(into), f"{PROJECT}=={VERSION}"], check=False).returncode:
        sys.exit(f"pip could not download the source distribution of {PROJECT} {VERSION}.")
    (archive,) = into.glob("*.tar.gz")
    if (found := sha256_file(archive)) != SHA256:
        sys.exit(f"{archive.name} has sha256 {found}, but {SHA256} is pinned; nothing was unpacked.")
    return archive


def wanted(path: PurePosixPath) -> bool:
    """Whether a file of llama.cpp's tree is part of the mapping, or a licence of it."""
    if path.name == "LICENSE":
        return path.parent in (PurePosixPath(), PurePosixPath("gguf-py"))
    return path.suffix == ".py" and (path.parts[0] == "conversion" or path.parts[:2] == ("gguf-py", "gguf"))


def unpack(archive: Path, target: Path) -> int:
    """Unpack what is wanted into `target`, replacing it whole; returns the number of files."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        fresh, count = Path(temporary) / target.name, 0
        with tarfile.open(archive) as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if not member.isfile() or not path.is_relative_to(INSIDE) or not wanted(path.relative_to(INSIDE)):
                    continue
                content = tar.extractfile(member)
                assert content is not None
                place = fresh / path.relative_to(INSIDE)
                place.parent.mkdir(parents=True, exist_ok=True)
                with content, place.open("wb") as f:
                    shutil.copyfileobj(content, f)
                count += 1
        (fresh / STAMP).write_text(f"{VERSION}\n", encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        os.replace(fresh, target)
    return count


def main(argv: list[str]) -> None:
    """Unpack unless it is there already."""
    target = Path(argv[0]).resolve() if argv else llama_cpp_source.folder()
    stamp = target / STAMP
    if stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == VERSION:
        print(f"llama.cpp's mapping {VERSION} is there already.")
        return
    with tempfile.TemporaryDirectory() as temporary:
        count = unpack(download(Path(temporary)), target)
    print(f"llama.cpp's mapping {VERSION}: {count} files unpacked.")


if __name__ == "__main__":
    main(sys.argv[1:])
