"""Backup and restore of the data folder: one tar file whose last member lists every file with size and sha256.

A backup is taken at rest and appears under its name only when it is complete. A restore reads the whole backup and checks
every sum before it touches anything, and a restore that is cut off leaves a folder that no service starts on. Left out is
what can be fetched or made again: the hub's cache, traces, and half-written files.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from lorag_common.artifacts import READ_BYTES
from lorag_common.data_folder import IN_USE, MIGRATIONS, STARTING, UNFINISHED, at_rest, require_whole, version
from lorag_common.errors import LoragError, Reason

FORMAT = 1
MANIFEST = "MANIFEST.json"
LEFT_OUT = ("hub", "traces", ".restore")
Progress = Callable[[int, int], None]
"""Told bytes done and bytes in all."""


class _Hashing(io.RawIOBase):
    """Reads a file and hashes what was read."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """See `io.RawIOBase`."""
        data = self._file.read(size)
        self.sha256.update(data)
        return data

    def close(self) -> None:
        """See `io.RawIOBase`."""
        self._file.close()
        super().close()


def create(data: Path, target: Path | None, progress: Progress) -> dict[str, Any]:
    """Back the folder up into a new file, or to standard output; returns the manifest.

    Raises:
        LoragError: DATA_IN_USE, RESTORE_UNFINISHED, INVALID_FIELD when `target` is there already, lies in the folder, or
            there is no data.
    """
    target = target and target.resolve()
    if not (data / "state").is_dir():
        raise LoragError(Reason.INVALID_FIELD, f"'{data}' is no data folder.")
    if target and (target.exists() or target.is_relative_to(data.resolve())):
        raise LoragError(Reason.INVALID_FIELD, f"'{target}' is there already, or lies inside of what is backed up.")
    with at_rest(data):
        require_whole(data)
        if target is None:
            return _write(data, sys.stdout.buffer, progress)
        partial = target.with_name(f"{target.name}.partial")
        try:
            with partial.open("wb") as out:
                manifest = _write(data, out, progress)
                out.flush()
                os.fsync(out.fileno())
            partial.rename(target)
        finally:
            partial.unlink(missing_ok=True)
    return manifest


def verify(backup: Path) -> dict[str, Any]:
    """Read a backup to its end and check every file's sum; returns the manifest.

    Raises:
        LoragError: BACKUP_DAMAGED; DATA_TOO_NEW.
    """
    return _read(backup, None, lambda done, total: None)


def restore(backup: Path, data: Path, progress: Progress, *, replace: bool = False) -> dict[str, Any]:
    """Put a backup's files into the data folder; returns the manifest.

    Args:
        backup: what `create` made.
        data: empty, or with `replace` one whose content is given up.
        progress: told how far it is.
        replace: see `data`. Also what ends a restore that was cut off.

    Raises:
        LoragError: DATA_IN_USE; BACKUP_DAMAGED, with nothing touched; DATA_TOO_NEW; INVALID_FIELD when the folder is not
            empty.
    """
    data.mkdir(parents=True, exist_ok=True)
    with at_rest(data):
        if any(_files(data)) and not replace:
            raise LoragError(
                Reason.INVALID_FIELD, f"'{data}' is not empty.", remedy="Name an empty folder, or add --replace."
            )
        # On the same volume, so that what follows is renaming; a folder that is mounted cannot be renamed itself.
        incoming = data / ".restore"
        shutil.rmtree(incoming, ignore_errors=True)
        try:
            manifest = _read(backup, incoming, progress)
            (data / UNFINISHED).touch()
            for old in data.iterdir():
                if old.name not in (UNFINISHED, incoming.name, "hub"):
                    shutil.rmtree(old) if old.is_dir() else old.unlink()
            for new in incoming.iterdir():
                new.rename(data / new.name)
            (data / UNFINISHED).unlink()
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
    return manifest


def _files(data: Path) -> Iterator[str]:
    """Files that belong into a backup, relative. Folders in the making have names that begin with a dot."""
    for folder, folders, names in os.walk(data):
        here = Path(folder).relative_to(data)
        folders[:] = [d for d in folders if not (str(here) == "." and d in LEFT_OUT) and not d.startswith(".")]
        for name in names:
            relative = here / name
            if relative not in (IN_USE, STARTING, Path(UNFINISHED)) and not (data / relative).is_symlink():
                yield str(relative)


def _write(data: Path, out: IO[bytes], progress: Progress) -> dict[str, Any]:
    """All files, then the list of them, which only a whole backup has."""
    files = sorted(_files(data))
    total, done = sum((data / f).stat().st_size for f in files), 0
    manifest: dict[str, Any] = {"format": FORMAT, "version": version(data), "time": time.time(), "files": {}}
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name in files:
            manifest["files"][name] = _add(archive, data / name, name)
            done += manifest["files"][name]["size"]
            progress(done, total)
        _add_manifest(archive, manifest)
    return manifest


def _add(archive: tarfile.TarFile, path: Path, name: str) -> dict[str, Any]:
    info = tarfile.TarInfo(name)
    stat = path.stat()
    info.size, info.mode, info.mtime = stat.st_size, stat.st_mode & 0o777, int(stat.st_mtime)
    with _Hashing(path) as source:
        archive.addfile(info, source)  # type: ignore[arg-type]
        return {"size": info.size, "sha256": source.sha256.hexdigest()}


def _add_manifest(archive: tarfile.TarFile, manifest: dict[str, Any]) -> None:
    content = json.dumps(manifest, ensure_ascii=False).encode()
    info = tarfile.TarInfo(MANIFEST)
    info.size, info.mtime = len(content), int(manifest["time"])
    archive.addfile(info, io.BytesIO(content))


def _read(backup: Path, target: Path | None, progress: Progress) -> dict[str, Any]:
    """Read, check, and unpack where there is a target."""
    total, found = backup.stat().st_size, {}
    manifest: dict[str, Any] | None = None
    try:
        with tarfile.open(backup, "r:") as archive:
            for member in archive:
                source = archive.extractfile(member)
                if source is None or Path(member.name).is_absolute() or ".." in Path(member.name).parts:
                    raise _damaged(backup, f"'{member.name}' is no plain file")
                if member.name == MANIFEST:
                    manifest = json.loads(source.read())
                else:
                    found[member.name] = _take(source, member, target)
                progress(archive.offset, total)
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        if isinstance(error, OSError) and not isinstance(error, tarfile.TarError) and error.errno is not None:
            raise
        raise _damaged(backup, str(error)) from error
    if manifest is None:
        raise _damaged(backup, "it ends before its list of files")
    if not (isinstance(manifest, dict) and {"format", "version", "files"} <= manifest.keys()):
        raise _damaged(backup, "its list of files is none of this program's")
    if manifest["format"] != FORMAT or manifest["version"] > len(MIGRATIONS):
        raise LoragError(Reason.DATA_TOO_NEW, f"'{backup}' was made by a newer version of this program.")
    if wrong := sorted(n for n in found.keys() | manifest["files"].keys() if found.get(n) != manifest["files"].get(n)):
        raise _damaged(backup, f"{len(wrong)} files differ from its list, '{wrong[0]}' the first")
    return manifest


def _take(source: Any, member: tarfile.TarInfo, target: Path | None) -> dict[str, Any]:
    """Hash one file, and write it where there is a target."""
    sha256, size = hashlib.sha256(), 0
    path = target / member.name if target else Path(os.devnull)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        while block := source.read(READ_BYTES):
            sha256.update(block)
            size += len(block)
            out.write(block)
        if target:
            out.flush()
            os.fsync(out.fileno())
    if target:
        path.chmod(member.mode & 0o777)
        os.utime(path, (member.mtime, member.mtime))
    return {"size": size, "sha256": sha256.hexdigest()}


def _damaged(backup: Path, why: str) -> LoragError:
    return LoragError(Reason.BACKUP_DAMAGED, f"'{backup}' is no whole backup: {why}.")
