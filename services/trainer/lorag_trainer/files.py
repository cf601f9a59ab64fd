"""The files that datasets come in -> records, each with the line it stands on.

JSONL, JSON (a list of objects, or one object with such a list), CSV and TSV with a header, Parquet, and plain text. The
kind is told by the content, the name only decides between what looks alike. A line that cannot be read becomes a
`Refused`, and reading goes on behind it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lorag_common.errors import LoragError, Reason

JSONL, JSON, CSV, PARQUET, TEXT = "jsonl", "json", "csv", "parquet", "text"
MAX_LINE_BYTES = 16 << 20
# A JSON list is held in memory whole; the same examples as JSONL are not.
MAX_JSON_BYTES = 512 << 20
PARQUET_ROWS = 1024
CONVERSATIONS = ("messages", "conversations")
"""Lists of objects that are one example."""


@dataclass(frozen=True)
class Record:
    """What stands at a line (a Parquet file's row), from 1: an object's fields, or a document of plain text."""

    line: int
    value: dict[str, Any] | str


@dataclass(frozen=True)
class Refused:
    """A line that is not learned from, and why."""

    line: int
    problem: str


def file_type(path: Path, name: str) -> str:
    """Which kind of file this is.

    Args:
        path: the file.
        name: what its owner calls it; its ending decides what the content does not.
    """
    with path.open("rb") as f:
        head = f.read(4096)
        if head[:4] == b"PAR1":
            return PARQUET
        first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        ending = Path(name).suffix.lower()
        if ending in (".txt", ".md"):
            return TEXT
        if first == b"[" and ending != ".jsonl":
            return JSON
        if first == b"{":
            return JSON if ending == ".json" and not _first_line_is_example(f) else JSONL
    if ending in (".csv", ".tsv"):
        return CSV
    return JSONL if ending in (".jsonl", ".json", ".ndjson") else TEXT


def read_records(path: Path, kind: str) -> Iterator[Record | Refused]:
    """Everything in the file, in its order.

    Raises:
        LoragError: DATASET_MALFORMED when the file as a whole cannot be read as its kind.
    """
    if kind == PARQUET:
        yield from _parquet(path)
        return
    with path.open("rb") as f:
        yield from {JSONL: _jsonl, JSON: _json, CSV: _csv, TEXT: _text}[kind](f)


def _first_line_is_example(f: BinaryIO) -> bool:
    """Whether the first line is an object by itself, and not one that holds the list of examples."""
    f.seek(0)
    try:
        first = json.loads(f.readline(MAX_LINE_BYTES).decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return False
    lists = (v for k, v in first.items() if isinstance(v, list) and k not in CONVERSATIONS)
    return not any(v and isinstance(v[0], dict) for v in lists)


def _jsonl(f: BinaryIO) -> Iterator[Record | Refused]:
    line = 0
    while raw := f.readline(MAX_LINE_BYTES + 1):
        line += 1
        if len(raw) > MAX_LINE_BYTES:
            while raw and not raw.endswith(b"\n"):
                raw = f.readline(MAX_LINE_BYTES)
            yield Refused(line, f"it is longer than {MAX_LINE_BYTES >> 20} MiB.")
            continue
        try:
            text = raw.decode("utf-8-sig" if line == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            yield Refused(line, f"not UTF-8 (byte {error.start + 1} of the line).")
            continue
        if text:
            yield _object_at(line, text)


def _object_at(line: int, text: str) -> Record | Refused:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Refused(line, f"not JSON ({error}). Each line must be one JSON object.")
    return _object(line, value)


def _object(line: int, value: Any) -> Record | Refused:
    if isinstance(value, dict):
        return Record(line, value)
    return Refused(line, f"a JSON object is expected, not {type(value).__name__}.")


def _json(f: BinaryIO) -> Iterator[Record | Refused]:
    text = _decoded(
        f.read(MAX_JSON_BYTES + 1), MAX_JSON_BYTES, "Write it as JSONL, one example a line, and upload that."
    )
    decoder, at, line, counted = json.JSONDecoder(), _start_of_list(text), 1, 0
    while True:
        at = _skip(text, at, " \t\r\n,")
        if at >= len(text) or text[at] == "]":
            return
        line += text.count("\n", counted, at)
        counted = at
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            # What follows a broken object cannot be told apart from it.
            yield Refused(line, f"not JSON ({error}); nothing behind it could be read.")
            return
        yield _object(line, value)


def _start_of_list(text: str) -> int:
    """Just behind the bracket that opens the list of examples: at the top, or the first list of a top object."""
    at = _skip(text, 0, " \t\r\n")
    if text[at : at + 1] == "{":
        found = text.find("[", at)
        if found < 0:
            raise LoragError(Reason.DATASET_MALFORMED, "The JSON file holds no list of examples.", field="dataset")
        at = found
    return at + 1


def _skip(text: str, at: int, what: str) -> int:
    while at < len(text) and text[at] in what:
        at += 1
    return at


def _csv(f: BinaryIO) -> Iterator[Record | Refused]:
    first = f.readline().decode("utf-8-sig", errors="replace")
    f.seek(0)
    separator = max("\t", ",", ";", key=first.count)
    csv.field_size_limit(MAX_LINE_BYTES)
    lines = (raw.decode("utf-8-sig", errors="strict") for raw in f)
    rows = csv.reader(lines, delimiter=separator)
    header: list[str] = []
    begin = 1
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except UnicodeDecodeError as error:
            message = f"The CSV file is not UTF-8 (line {rows.line_num + 1}: {error.reason})."
            raise LoragError(Reason.DATASET_MALFORMED, message, remedy="Save it as UTF-8.", field="dataset") from error
        except csv.Error as error:
            yield Refused(rows.line_num, f"not CSV ({error}).")
            continue
        line, begin = begin, rows.line_num + 1
        if not row:
            continue
        if not header:
            header = [name.strip() for name in row]
        elif len(row) != len(header):
            yield Refused(line, f"it has {len(row)} fields, and the header has {len(header)}.")
        else:
            yield Record(line, dict(zip(header, row, strict=True)))


def _parquet(path: Path) -> Iterator[Record | Refused]:
    import pyarrow
    import pyarrow.parquet

    line = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(PARQUET_ROWS):
                for row in batch.to_pylist():
                    line += 1
                    yield Record(line, row)
    except (pyarrow.ArrowException, OSError) as error:
        message = f"The Parquet file cannot be read behind row {line}: {error}"
        raise LoragError(Reason.DATASET_MALFORMED, message, field="dataset") from error


def _text(f: BinaryIO) -> Iterator[Record | Refused]:
    """Documents of plain text; a form feed begins a new one, as in text taken from pages."""
    text = _decoded(f.read(MAX_JSON_BYTES + 1), MAX_JSON_BYTES, "Split the text into several files.")
    line = 1
    for document in text.split("\f"):
        lead = len(document) - len(document.lstrip())
        if document.strip():
            yield Record(line + document.count("\n", 0, lead), document.strip())
        line += document.count("\n")


def _decoded(raw: bytes, limit: int, remedy: str) -> str:
    if len(raw) > limit:
        message = f"The file is larger than {limit >> 20} MiB, more than this kind of file may have."
        raise LoragError(Reason.UPLOAD_TOO_LARGE, message, remedy=remedy, field="dataset")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"Line {line}: not UTF-8."
        raise LoragError(Reason.DATASET_MALFORMED, message, remedy="Save it as UTF-8.", field="dataset") from error
