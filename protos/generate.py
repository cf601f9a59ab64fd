"""Regenerate the Python stubs in protos/gen from protos/lorag. Run by `make proto`; `--check` fails on a difference."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def generate(out: Path) -> None:
    """Write `*_pb2.py`, `*_pb2.pyi` and `*_pb2_grpc.py` for every proto below `out`."""
    out.mkdir(parents=True, exist_ok=True)
    sources = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "lorag").rglob("*.proto"))
    flags = [f"--{kind}={out}" for kind in ("python_out", "pyi_out", "grpc_python_out")]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "-I.", *flags, *sources], cwd=ROOT, check=True)


def differences(a: Path, b: Path) -> list[str]:
    """Relative paths of the stubs that are not the same in both trees."""
    names = {
        str(p.relative_to(tree)) for tree in (a, b) for p in tree.rglob("*_pb2*.py*") if p.suffix in (".py", ".pyi")
    }
    _, mismatch, missing = filecmp.cmpfiles(a, b, sorted(names), shallow=False)
    return mismatch + missing


def main() -> int:
    """Regenerate in place, or with `--check` compare with a fresh generation; 1 when they differ."""
    committed = ROOT / "gen"
    if "--check" not in sys.argv[1:]:
        shutil.rmtree(committed / "lorag", ignore_errors=True)
        generate(committed)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        stale = differences(Path(scratch), committed)
    if stale:
        print("stubs differ from the protos; run `make proto`:", *stale, sep="\n  ", file=sys.stderr)
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
