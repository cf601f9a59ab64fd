"""The rules that keep the rooms apart, held by reading the imports of every file."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "lorag_trainer": ROOT / "services/trainer/lorag_trainer",
    "lorag_converter": ROOT / "services/converter/lorag_converter",
    "lorag_indexer": ROOT / "services/indexer/lorag_indexer",
    "lorag_qa": ROOT / "services/qa/lorag_qa",
    "lorag_runtime": ROOT / "services/runtime/lorag_runtime",
    "lorag_gateway": ROOT / "gateway/lorag_gateway",
}
SERVICES = [name for name in PACKAGES if name not in ("lorag_gateway",)]
# The files whose work is to speak gRPC.
WIRE_FILES = {"servicer.py", "__main__.py", "indexer_client.py", "wire.py"}


def imported(path: Path) -> set[str]:
    """Top-level names and full names of all that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names | {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("package", SERVICES)
def test_domain_files_import_neither_grpc_nor_stubs(package: str) -> None:
    for path in PACKAGES[package].rglob("*.py"):
        if path.name not in WIRE_FILES:
            assert not imported(path) & {"grpc", "lorag"}, path


@pytest.mark.parametrize("package", PACKAGES)
def test_no_service_imports_another(package: str) -> None:
    others = set(PACKAGES) - {package}
    for path in PACKAGES[package].rglob("*.py"):
        assert not imported(path) & others, path


@pytest.mark.parametrize("package", ["lorag_qa", "lorag_indexer", "lorag_gateway", "lorag_runtime"])
def test_light_services_never_import_torch(package: str) -> None:
    modules = [
        ".".join([package, *path.relative_to(PACKAGES[package]).with_suffix("").parts])
        for path in sorted(PACKAGES[package].rglob("*.py"))
        if path.name not in ("__main__.py", "__init__.py")
    ]
    assert modules
    script = (
        f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\nsys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or "torch was imported"


def test_no_file_outgrew_its_room() -> None:
    for folder in [*PACKAGES.values(), ROOT / "services/common", ROOT / "cli", ROOT / "demo"]:
        for path in folder.rglob("*.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 420, path
