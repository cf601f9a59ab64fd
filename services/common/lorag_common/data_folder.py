"""The data folder as a whole: who uses it, which version its layout has, and migrations from one to the next.

A service holds a shared lock on `state/in-use.lock` for as long as it lives; what needs the folder at rest (a migration, a
backup, a restore) takes it for itself. The kernel lets go of it with the process, however that ends.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lorag_common.artifacts import write_json
from lorag_common.errors import LoragError, Reason

IN_USE, STARTING = Path("state") / "in-use.lock", Path("state") / "starting.lock"
VERSION_FILE = Path("state") / "version.json"
# While it is there, a restore has begun and not ended; it stands at the top, for everybody to see.
UNFINISHED = "RESTORE-UNFINISHED"


def _nothing(data: Path) -> None:
    """Version 1 only writes down which version it is."""


MIGRATIONS: list[Callable[[Path], None]] = [_nothing]
"""MIGRATIONS[n] leads from version n to n + 1. Each may be begun any number of times: it can be cut off anywhere."""


def open_for_service(data: Path) -> None:
    """Take part in using the folder, until this process ends.

    Raises:
        LoragError: RESTORE_UNFINISHED, DATA_TOO_NEW; DATA_IN_USE when it has to be migrated and is in use.
    """
    # Of several services that start at once the first migrates, and the others wait for it.
    starting = _lock_file(data, STARTING)
    try:
        fcntl.flock(starting, fcntl.LOCK_EX)
        require_whole(data)
        if version(data) != len(MIGRATIONS):
            with at_rest(data):  # a service of another version may still be running
                migrate(data)
        # Never closed: this lock lives as long as the process.
        fcntl.flock(_lock_file(data, IN_USE), fcntl.LOCK_SH)
    finally:
        os.close(starting)


@contextmanager
def at_rest(data: Path) -> Iterator[None]:
    """Have the folder for oneself.

    Raises:
        LoragError: DATA_IN_USE.
    """
    fd = _lock_file(data, IN_USE)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LoragError(Reason.DATA_IN_USE, f"Services are running on '{data}'.") from None
        yield
    finally:
        os.close(fd)


def version(data: Path) -> int:
    """The version of the folder's layout; 0 for one that is empty or older than versions."""
    try:
        return int(json.loads((data / VERSION_FILE).read_text(encoding="utf-8"))["version"])
    except FileNotFoundError:
        return 0


def migrate(data: Path) -> None:
    """Bring the folder to this program's version, a step at a time, each written down when it is done.

    Raises:
        LoragError: DATA_TOO_NEW.
    """
    found = version(data)
    if found > len(MIGRATIONS):
        raise LoragError(
            Reason.DATA_TOO_NEW,
            f"'{data}' has version {found}, and this program knows versions up to {len(MIGRATIONS)}.",
        )
    for number in range(found, len(MIGRATIONS)):
        MIGRATIONS[number](data)
        write_json(data / VERSION_FILE, {"version": number + 1})


def require_whole(data: Path) -> None:
    """LoragError RESTORE_UNFINISHED when a restore was cut off."""
    if (data / UNFINISHED).exists():
        raise LoragError(Reason.RESTORE_UNFINISHED, f"A restore into '{data}' was cut off.")


def _lock_file(data: Path, name: Path) -> int:
    path = data / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
