"""The writing thread: bytes where they belong, the journal only after the disk, errors to whoever waits."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lorag_converter.output import Output, remembered


def bytes_of(text: bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8)


def write_one_tensor(target: Path, journal: Path) -> None:
    with Output(target, journal, 4, waiting=1) as output:
        output.put(0, bytes_of(b"abcd"))
        output.finish("a")


def test_slabs_land_at_their_places_and_finished_tensors_in_the_journal(tmp_path: Path) -> None:
    target, journal = tmp_path / "file", tmp_path / "journal"
    target.write_bytes(b"head")
    with Output(target, journal, 12, waiting=2) as output:
        output.put(8, bytes_of(b"last"))
        output.put(4, bytes_of(b"midd"))
        output.finish("tensor")
        output.put(8, bytes_of(b"LAST"))

    assert target.read_bytes() == b"headmiddLAST"
    assert output.durable == remembered(journal) == ["tensor"]


def test_nothing_is_in_the_journal_before_it_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    seen: list[list[str]] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (seen.append(remembered(tmp_path / "journal")), real(fd))[1])
    with Output(tmp_path / "file", tmp_path / "journal", 4, waiting=2) as output:
        output.put(0, bytes_of(b"abcd"))
        output.finish("a")

    assert seen == [[]]


def test_a_full_disk_is_raised_and_nothing_more_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        write_one_tensor(tmp_path / "file", tmp_path / "j")

    assert remembered(tmp_path / "j") == []
