"""The datasets of the data folder: `datasets/<sha256>/{data.jsonl,dataset.json}`, each stored once by content."""

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
from typing import BinaryIO, cast

from lorag_common.artifacts import write_json
from lorag_common.errors import LoragError, Reason
from lorag_trainer.examples import Example, read_examples

DATA, CARD = "data.jsonl", "dataset.json"
_ID = re.compile(r"[0-9a-f]{64}")
MAX_NAME = 200


@dataclass(frozen=True)
class DatasetInfo:
    """What `dataset.json` says. Sizes in bytes, time in seconds since the epoch.

    Attributes:
        turn_count: answers of the assistant in all examples; each is learned once a pass.
        longest_bytes: of the texts of the longest example; an upper bound of its tokens without the template's.
    """

    id: str
    name: str
    size: int
    example_count: int
    format: str
    create_time: float
    turn_count: int
    longest_bytes: int


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
        return DatasetInfo(**json.loads(card.read_text(encoding="utf-8")))

    def list(self) -> list[DatasetInfo]:
        """All datasets, newest first."""
        found = [self.get(card.parent.name) for card in self.root.glob(f"*/{CARD}") if _ID.fullmatch(card.parent.name)]
        return sorted(found, key=lambda d: (d.create_time, d.id), reverse=True)

    def examples(self, dataset_id: str) -> Iterator[Example]:
        """The examples of a dataset, in the order of its file.

        Raises:
            LoragError: DATASET_NOT_FOUND.
        """
        self.get(dataset_id)
        with (self.root / dataset_id / DATA).open("rb") as f:
            for _, example in read_examples(f):
                yield example

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
        self._name = Path(name.replace("\\", "/")).name[:MAX_NAME] or DATA
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
            LoragError: UPLOAD_CORRUPT, DATASET_EMPTY, or DATASET_MALFORMED with the line; nothing is stored then.
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
        info = self._describe(digest)
        write_json(self._folder / CARD, asdict(info))
        self._folder.chmod(0o755)
        try:
            self._folder.rename(self._store.root / digest)
        except OSError:
            # The same bytes came by two uploads at once, and the other was first.
            if not (self._store.root / digest / CARD).is_file():
                raise
        return self._store.get(digest)

    def _describe(self, digest: str) -> DatasetInfo:
        count, turns, longest, form = 0, 0, 0, ""
        with (self._folder / DATA).open("rb") as f:
            for found, example in read_examples(cast(BinaryIO, f)):
                form = found
                count += 1
                turns += sum(m["role"] == "assistant" for m in example.messages)
                longest = max(longest, sum(len(m["content"].encode()) for m in example.messages))
        return DatasetInfo(digest, self._name, self._received, count, form, time.time(), turns, longest)
