"""The datasets of the data folder: `datasets/<sha256>/{data.*,dataset.json,refused.json}`, each stored once by content."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from lorag_common.artifacts import write_json
from lorag_common.errors import LoragError, Reason
from lorag_trainer.examples import Example, read_examples, refused_error
from lorag_trainer.files import JSONL, Refused, file_type, read_records

DATA, CARD, REFUSED = "data", "dataset.json", "refused.json"
_ID = re.compile(r"[0-9a-f]{64}")
MAX_NAME = 200
NAMED_REFUSED, KEPT_REFUSED = 20, 1000
"""Refused lines that the card names, and those that are kept beside it."""


@dataclass(frozen=True)
class DatasetInfo:
    """What `dataset.json` says. Sizes in bytes, time in seconds since the epoch.

    Attributes:
        turn_count: answers of the assistant in all examples; each is learned once a pass.
        longest_bytes: of the texts of the longest example; an upper bound of its tokens without the template's.
        text_bytes: of the texts of all examples.
        refused: the first `NAMED_REFUSED` refused lines as [line, problem].
    """

    id: str
    name: str
    size: int
    example_count: int
    format: str
    create_time: float
    turn_count: int
    longest_bytes: int
    text_bytes: int = 0
    file_type: str = JSONL
    refused_count: int = 0
    duplicate_count: int = 0
    refused: tuple[tuple[int, str], ...] = ()


class DatasetStore:
    """Datasets by their sha256.

    Args:
        data: the data folder.
        max_bytes: largest upload.
    """

    def __init__(self, data: Path, max_bytes: int = 2 << 30) -> None:
        self.root = data / "datasets"
        self.max_bytes = max_bytes

    def sweep(self) -> None:
        """Remove what uploads that were cut off left behind. Only while no upload runs."""
        for leftover in self.root.glob(".*") if self.root.is_dir() else ():
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()

    def get(self, dataset_id: str) -> DatasetInfo:
        """One dataset.

        Raises:
            LoragError: DATASET_NOT_FOUND.
        """
        card = self.root / dataset_id / CARD
        if not _ID.fullmatch(dataset_id) or not card.is_file():
            raise LoragError(Reason.DATASET_NOT_FOUND, f"There is no dataset '{dataset_id}'.", field="dataset_id")
        found: dict[str, Any] = json.loads(card.read_text(encoding="utf-8"))
        refused = tuple((int(line), str(problem)) for line, problem in found.pop("refused", ()))
        return DatasetInfo(**found, refused=refused)

    def refused(self, dataset_id: str) -> list[Refused]:
        """The refused lines of a dataset, at most `KEPT_REFUSED`.

        Raises:
            LoragError: DATASET_NOT_FOUND.
        """
        self.get(dataset_id)
        path = self.root / dataset_id / REFUSED
        rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        return [Refused(int(line), str(problem)) for line, problem in rows]

    def require_readable(self, dataset_id: str, skip_refused: bool) -> DatasetInfo:
        """One dataset, if a training may take it.

        Raises:
            LoragError: DATASET_NOT_FOUND; DATASET_MALFORMED when lines were refused and are not to be skipped.
        """
        info = self.get(dataset_id)
        if info.refused_count and not skip_refused:
            named = [Refused(line, problem) for line, problem in info.refused]
            remedy = "Correct the named lines and upload the dataset again, or set skip_refused to train without them."
            raise refused_error(info.refused_count, named, remedy)
        return info

    def delete(self, dataset_id: str) -> None:
        """Remove a dataset; its name goes at once, its files after it.

        Raises:
            LoragError: DATASET_NOT_FOUND.
        """
        self.get(dataset_id)
        doomed = self.root / f".deleted-{dataset_id}-{time.time_ns()}"
        (self.root / dataset_id).rename(doomed)
        shutil.rmtree(doomed)

    def list(self) -> list[DatasetInfo]:
        """All datasets, newest first."""
        found = [self.get(card.parent.name) for card in self.root.glob(f"*/{CARD}") if _ID.fullmatch(card.parent.name)]
        return sorted(found, key=lambda d: (d.create_time, d.id), reverse=True)

    def examples(self, dataset_id: str) -> Iterator[Example]:
        """The examples of a dataset that can be read, in the order of its file.

        Raises:
            LoragError: DATASET_NOT_FOUND.
        """
        kind = self.get(dataset_id).file_type
        for found in read_examples(read_records(self.root / dataset_id / f"{DATA}.{kind}", kind)):
            if not isinstance(found, Refused):
                yield found[1]

    def upload(self, name: str, size: int = 0, sha256: str = "") -> Upload:
        """Begin an upload; `size` 0 and `sha256` empty mean that they are not known beforehand."""
        if size > self.max_bytes:
            raise self.too_large()
        return Upload(self, name, size, sha256.lower())

    def too_large(self) -> LoragError:
        """UPLOAD_TOO_LARGE with the limit."""
        return LoragError(Reason.UPLOAD_TOO_LARGE, f"A dataset may have at most {self.max_bytes} bytes.", field="size")


class Upload:
    """A dataset on its way in. Leaving the `with` block removes what was not committed."""

    def __init__(self, store: DatasetStore, name: str, size: int, sha256: str) -> None:
        self._store, self._size, self._sha256 = store, size, sha256
        self._name = Path(name.replace("\\", "/")).name[:MAX_NAME] or "dataset"
        store.root.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(dir=store.root, prefix=".upload-"))
        self._file: BinaryIO = (self._folder / DATA).open("wb")
        self._hash = hashlib.sha256()
        self._received = 0

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def write(self, chunk: bytes) -> None:
        """Add the next bytes.

        Raises:
            LoragError: UPLOAD_TOO_LARGE.
        """
        self._received += len(chunk)
        if self._received > self._store.max_bytes:
            raise self._store.too_large()
        self._hash.update(chunk)
        self._file.write(chunk)

    def commit(self) -> DatasetInfo:
        """Check everything that arrived and put it in its place in one move.

        Raises:
            LoragError: UPLOAD_CORRUPT; DATASET_EMPTY; DATASET_MALFORMED when no line of it can be read. Nothing is
                stored then.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        digest = self._hash.hexdigest()
        if self._size and self._size != self._received:
            message = f"{self._size} bytes were announced and {self._received} arrived."
            raise LoragError(Reason.UPLOAD_CORRUPT, message, field="size")
        if self._sha256 and self._sha256 != digest:
            message = f"The sha256 {self._sha256} was announced and {digest} arrived."
            raise LoragError(Reason.UPLOAD_CORRUPT, message, field="sha256")
        if (self._store.root / digest / CARD).is_file():
            return self._store.get(digest)
        kind = file_type(self._folder / DATA, self._name)
        (self._folder / DATA).rename(self._folder / f"{DATA}.{kind}")
        info, refused = self._describe(digest, kind)
        write_json(self._folder / REFUSED, refused)
        write_json(self._folder / CARD, asdict(info))
        self._folder.chmod(0o755)
        try:
            self._folder.rename(self._store.root / digest)
        except OSError:
            # The same bytes came by two uploads at once, and the other was first.
            if not (self._store.root / digest / CARD).is_file():
                raise
        return self._store.get(digest)

    def _describe(self, digest: str, kind: str) -> tuple[DatasetInfo, list[tuple[int, str]]]:
        turns = longest = total = refused_count = 0
        form = ""
        refused: list[tuple[int, str]] = []
        count, seen = 0, set[bytes]()
        for found in read_examples(read_records(self._folder / f"{DATA}.{kind}", kind)):
            if isinstance(found, Refused):
                refused_count += 1
                if len(refused) < KEPT_REFUSED:
                    refused.append((found.line, found.problem))
                continue
            form, example = found
            count += 1
            turns += sum(m["role"] == "assistant" for m in example.messages) or 1
            longest = max(longest, example.bytes)
            total += example.bytes
            seen.add(hashlib.sha256(json.dumps(example.as_dict()).encode()).digest())
        named = refused[:NAMED_REFUSED]
        if not count and refused_count:
            raise refused_error(refused_count, (Refused(*r) for r in named[:3]))
        if not count:
            raise LoragError(Reason.DATASET_EMPTY, "The file has no example in it.", field="dataset")
        info = DatasetInfo(
            id=digest,
            name=self._name,
            size=self._received,
            example_count=count,
            format=form,
            create_time=time.time(),
            turn_count=turns,
            longest_bytes=longest,
            text_bytes=total,
            file_type=kind,
            refused_count=refused_count,
            duplicate_count=count - len(seen),
            refused=tuple(named),
        )
        return info, refused
