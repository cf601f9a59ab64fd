"""Backup, restore, versions: whole or not at all, and never under running services."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lorag_common import backup, data_folder
from lorag_common.errors import LoragError, Reason

SERVICE = (
    "import sys, pathlib; from lorag_common import data_folder as d; from lorag_common.starting import exits_with_cause; "
    "exits_with_cause()(d.open_for_service)(pathlib.Path(sys.argv[1]))"
)


def ignore(done: int, total: int) -> None:
    assert done <= total


def service(data: Path) -> subprocess.CompletedProcess[str]:
    """A service that starts, says so, and ends."""
    return subprocess.run([sys.executable, "-c", SERVICE, str(data)], capture_output=True, text=True, check=False)


@contextmanager
def running(data: Path) -> Iterator[None]:
    script = f"{SERVICE}; print(flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "\n"
    yield
    process.kill()
    process.communicate()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    assert service(folder).returncode == 0
    for name, content in {
        "releases/m/v1/model.gguf": b"\0" * 3_000_000,
        "documents/日本.pdf": b"pdf",
        "hub/x": b"x",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "datasets/.upload-1").mkdir(parents=True)
    (folder / "datasets/.upload-1/half").write_bytes(b"half")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock"
    }


def test_what_was_backed_up_comes_back_without_what_is_half_written(data: Path, tmp_path: Path) -> None:
    made = backup.create(data, tmp_path / "b.tar", ignore)
    assert backup.verify(tmp_path / "b.tar") == made
    backup.restore(tmp_path / "b.tar", tmp_path / "other", ignore)
    kept = {n: c for n, c in content(data).items() if not n.startswith(("hub", "datasets/.upload"))}
    assert content(tmp_path / "other") == kept
    assert made["version"] == len(data_folder.MIGRATIONS)


def test_neither_is_done_under_running_services(data: Path, tmp_path: Path) -> None:
    backup.create(data, tmp_path / "b.tar", ignore)
    with running(data), running(data):
        with pytest.raises(LoragError) as refused:
            backup.create(data, tmp_path / "c.tar", ignore)
        with pytest.raises(LoragError) as also:
            backup.restore(tmp_path / "b.tar", data, ignore, replace=True)
    assert (refused.value.reason, also.value.reason) == (Reason.DATA_IN_USE, Reason.DATA_IN_USE)
    assert not list(tmp_path.glob("c.tar*"))
    backup.create(data, tmp_path / "c.tar", ignore)


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9999])
def test_a_backup_that_is_cut_off_changes_nothing(data: Path, tmp_path: Path, where: float) -> None:
    backup.create(data, tmp_path / "b.tar", ignore)
    whole = (tmp_path / "b.tar").read_bytes()
    end = whole.rindex(b"sha256")  # behind it there is only padding
    (tmp_path / "cut.tar").write_bytes(whole[: int(end * where)])
    before = content(data)
    with pytest.raises(LoragError) as damaged:
        backup.restore(tmp_path / "cut.tar", data, ignore, replace=True)
    assert damaged.value.reason is Reason.BACKUP_DAMAGED
    assert content(data) == before


def test_one_changed_byte_is_found(data: Path, tmp_path: Path) -> None:
    backup.create(data, tmp_path / "b.tar", ignore)
    with tarfile.open(tmp_path / "b.tar") as archive:
        member = archive.getmember("releases/m/v1/model.gguf")
    with (tmp_path / "b.tar").open("r+b") as f:
        f.seek(member.offset_data + 1_000_000)
        f.write(b"\1")
    with pytest.raises(LoragError, match=r"model\.gguf") as damaged:
        backup.verify(tmp_path / "b.tar")
    assert damaged.value.reason is Reason.BACKUP_DAMAGED


@pytest.mark.parametrize("manifest", [b"[]", b"{}", b"no JSON"])
def test_a_tar_file_of_another_program_is_no_backup(data: Path, tmp_path: Path, manifest: bytes) -> None:
    (tmp_path / backup.MANIFEST).write_bytes(manifest)
    with tarfile.open(tmp_path / "other.tar", "w") as archive:
        archive.add(tmp_path / backup.MANIFEST, backup.MANIFEST)
    before = content(data)
    with pytest.raises(LoragError) as damaged:
        backup.restore(tmp_path / "other.tar", data, ignore, replace=True)
    assert damaged.value.reason is Reason.BACKUP_DAMAGED
    assert content(data) == before


def test_a_full_folder_is_not_replaced_unasked(data: Path, tmp_path: Path) -> None:
    backup.create(data, tmp_path / "b.tar", ignore)
    (data / "later").write_text("later")
    with pytest.raises(LoragError, match="not empty"):
        backup.restore(tmp_path / "b.tar", data, ignore)
    backup.restore(tmp_path / "b.tar", data, ignore, replace=True)
    assert not (data / "later").exists()
    assert (data / "hub/x").exists(), "what can be fetched again stays"


def test_no_service_starts_on_a_restore_that_was_cut_off(data: Path, tmp_path: Path) -> None:
    backup.create(data, tmp_path / "b.tar", ignore)
    (data / data_folder.UNFINISHED).touch()  # as kill -9 between the two renames leaves it
    refused = service(data)
    assert refused.returncode == 1
    assert "--replace" in refused.stderr
    with pytest.raises(LoragError) as also:
        backup.create(data, tmp_path / "c.tar", ignore)
    assert also.value.reason is Reason.RESTORE_UNFINISHED
    backup.restore(tmp_path / "b.tar", data, ignore, replace=True)
    assert service(data).returncode == 0


def test_versions(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each migration runs once, in order, goes on where it was cut off; a newer folder is refused and left alone."""
    began = data_folder.version(data)
    seen: list[int] = []

    def second(folder: Path) -> None:
        seen.append(data_folder.version(folder))

    def third(folder: Path) -> None:
        seen.append(data_folder.version(folder))
        if len(seen) == 2:
            raise OSError("cut off")

    monkeypatch.setattr(data_folder, "MIGRATIONS", [*data_folder.MIGRATIONS, second, third])
    with pytest.raises(OSError, match="cut off"):
        data_folder.migrate(data)
    data_folder.migrate(data)
    assert seen == [began, began + 1, began + 1]
    assert data_folder.version(data) == began + 2
    monkeypatch.undo()
    refused = service(data)
    assert refused.returncode == 1
    assert "newer" in refused.stderr
    assert json.loads((data / data_folder.VERSION_FILE).read_text()) == {"version": began + 2}


def test_the_commands(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lorag(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lorag_cli", *arguments], capture_output=True, text=True, check=False
        )

    monkeypatch.setenv("LORAG_DATA", str(data))
    made = lorag("backup", str(tmp_path / "b.tar"), "--json")
    assert json.loads(made.stdout)["files"] > 2, made.stderr
    assert json.loads(lorag("restore", str(tmp_path / "b.tar"), "--check", "--json").stdout) == json.loads(made.stdout)
    streamed = subprocess.run(
        [sys.executable, "-m", "lorag_cli", "backup", "-"], capture_output=True, check=True
    ).stdout
    (tmp_path / "c.tar").write_bytes(streamed)
    assert json.loads(lorag("restore", str(tmp_path / "c.tar"), "--check", "--json").stdout) == json.loads(made.stdout)
    refused = lorag("restore", str(tmp_path / "b.tar"))
    assert refused.returncode == 1
    assert "--replace" in refused.stderr
    assert lorag("restore", str(tmp_path / "b.tar"), "--replace").returncode == 0
