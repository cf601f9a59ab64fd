"""The documents on disk: `documents/<sha256>/{original.<kind>,document.json,extraction.json,pages/<n>.json}`.

A document's id is the sha256 of its bytes. It is there when `document.json` is there; a folder without one is what a
crash left, and `sweep` removes it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lorag_common.artifacts import write_json
from lorag_common.errors import LoragError, Reason
from lorag_indexer.pages import PageText

SUFFIXES = {"pdf": "pdf", "markdown": "md", "text": "txt"}
_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Document:
    """A stored file.

    Attributes:
        size: in bytes.
        create_time: when it was stored, in seconds since the epoch.
        pages_without_text: counted from 1.
        kind: "pdf", "markdown" or "text".
        date: of its content, in seconds since the epoch; 0 means create_time.
        quality: mean score of its pages that are not blank, 0 to 1.
        notices: what a person should know of it: dictionaries of reason, message and remedy.
    """

    id: str
    name: str
    size: int
    page_count: int
    create_time: float
    job_id: str = ""
    indexed: bool = False
    chunk_count: int = 0
    pages_without_text: tuple[int, ...] = ()
    kind: str = "pdf"
    tags: tuple[str, ...] = ()
    date: float = 0.0
    quality: float = 0.0
    notices: tuple[dict[str, str], ...] = ()

    @property
    def when(self) -> float:
        """The date that searches are narrowed by, in seconds since the epoch."""
        return self.date or self.create_time


class DocumentFolder:
    """Where one document's files are."""

    def __init__(self, data: Path, document_id: str) -> None:
        self.path = data / "documents" / document_id

    @property
    def original(self) -> Path:
        """The file as it was uploaded."""
        return next(self.path.glob("original.*"), self.path / "original.pdf")

    def record(self) -> Document:
        """The document's record, read from the disk.

        Raises:
            LoragError: DOCUMENT_NOT_FOUND.
        """
        try:
            return _read(self.path / "document.json")
        except FileNotFoundError:
            raise LoragError(Reason.DOCUMENT_NOT_FOUND, "The document was deleted.") from None

    def exists(self) -> bool:
        """Whether the document is there, whole."""
        return (self.path / "document.json").exists()

    def page(self, number: int) -> PageText | None:
        """An extracted page; None when it is not extracted yet."""
        try:
            return PageText.from_dict(json.loads(self._page_path(number).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def page_numbers(self) -> list[int]:
        """Numbers of the extracted pages, in order."""
        return sorted(int(p.stem) for p in (self.path / "pages").glob("[0-9]*.json"))

    def pages(self, offset: int = 0, limit: int | None = None) -> Iterator[PageText]:
        """Extracted pages in order, all or `limit` of them after the first `offset`."""
        for number in self.page_numbers()[offset : None if limit is None else offset + limit]:
            if page := self.page(number):
                yield page

    def write_page(self, page: PageText) -> None:
        """Keep an extracted page."""
        write_json(self._page_path(page.page), page.as_dict())

    def write_extraction(self, page_count: int, pages_without_text: list[int]) -> None:
        """Keep what the extraction found over all pages."""
        write_json(self.path / "extraction.json", {"page_count": page_count, "pages_without_text": pages_without_text})

    def pages_without_text(self) -> tuple[int, ...]:
        """Pages that need OCR; empty before the extraction is finished."""
        try:
            extraction = json.loads((self.path / "extraction.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return ()
        return tuple(extraction["pages_without_text"])

    def _page_path(self, number: int) -> Path:
        return self.path / "pages" / f"{number}.json"


class Library:
    """All documents. Kept in memory and written through, because one process owns them."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._root = data / "documents"
        self._root.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._documents: dict[str, Document] = {}
        for path in self._root.glob("*/document.json"):
            if _ID.fullmatch(path.parent.name):
                document = _read(path)
                self._documents[document.id] = document

    def folder(self, document_id: str) -> DocumentFolder:
        """Where its files are."""
        return DocumentFolder(self._data, document_id)

    def temporary(self) -> Path:
        """A new path, on the same file system, for an upload."""
        return self._root / f".incoming-{uuid.uuid4().hex}"

    def get(self, document_id: str) -> Document:
        """One document.

        Raises:
            LoragError: DOCUMENT_NOT_FOUND.
        """
        with self._lock:
            if document_id not in self._documents:
                raise LoragError(Reason.DOCUMENT_NOT_FOUND, f"There is no document '{document_id}'.", field="id")
            return self._documents[document_id]

    def has(self, document_id: str) -> bool:
        """Whether it is there."""
        with self._lock:
            return document_id in self._documents

    def all(self) -> list[Document]:
        """All, newest first."""
        with self._lock:
            return sorted(self._documents.values(), key=lambda d: (-d.create_time, d.id))

    def matching(self, tags: frozenset[str], date_from: float, date_until: float) -> frozenset[str]:
        """Documents that have all of these tags and a date in [date_from, date_until); 0 leaves an end open."""
        with self._lock:
            return frozenset(
                d.id
                for d in self._documents.values()
                if tags <= set(d.tags) and d.when >= date_from and (not date_until or d.when < date_until)
            )

    def searchable(self) -> bool:
        """Whether anything is indexed."""
        with self._lock:
            return any(d.indexed and d.chunk_count for d in self._documents.values())

    def unfinished(self) -> frozenset[str]:
        """Documents whose chunks must not be found yet."""
        with self._lock:
            return frozenset(d.id for d in self._documents.values() if not d.indexed)

    def add(self, file: Path, document: Document) -> Document:
        """Move an uploaded file into place; bytes that are there already only take the new name, tags, date and time."""
        with self._lock:
            if known := self._documents.get(document.id):
                file.unlink()
                tags, date = document.tags or known.tags, document.date or known.date
                return self._keep(replace(known, name=document.name, create_time=time.time(), tags=tags, date=date))
            folder = self.folder(document.id)
            folder.path.mkdir(parents=True, exist_ok=True)
            os.replace(file, folder.path / f"original.{SUFFIXES[document.kind]}")
            return self._keep(replace(document, create_time=time.time()))

    def update(self, document_id: str, **changes: Any) -> Document:
        """Change a document's record.

        Raises:
            LoragError: DOCUMENT_NOT_FOUND.
        """
        with self._lock:
            return self._keep(replace(self.get(document_id), **changes))

    def same_name(self, document: Document) -> list[Document]:
        """Older documents that this one replaces."""
        with self._lock:
            others = [d for d in self._documents.values() if d.name == document.name and d.id != document.id]
            return [d for d in others if d.create_time <= document.create_time]

    def remove(self, document_id: str) -> None:
        """Take a document and all its files away.

        Raises:
            LoragError: DOCUMENT_NOT_FOUND.
        """
        with self._lock:
            self.get(document_id)
            doomed = self._root / f".deleted-{uuid.uuid4().hex}"
            # One rename, so that no crash leaves half a document.
            os.replace(self.folder(document_id).path, doomed)
            del self._documents[document_id]
        shutil.rmtree(doomed)

    def sweep(self) -> None:
        """Remove what a crash left: broken-off uploads, half-removed documents, folders without a record."""
        with self._lock:
            for path in self._root.iterdir():
                if path.name in self._documents:
                    continue
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def sweep_document(self, document_id: str) -> None:
        """Remove what is left of a document that is gone."""
        with self._lock:
            if document_id not in self._documents:
                shutil.rmtree(self.folder(document_id).path, ignore_errors=True)

    def _keep(self, document: Document) -> Document:
        write_json(self.folder(document.id).path / "document.json", asdict(document))
        self._documents[document.id] = document
        return document


def _read(path: Path) -> Document:
    values = json.loads(path.read_text(encoding="utf-8"))
    listed = {name: tuple(values.get(name, ())) for name in ("pages_without_text", "tags", "notices")}
    return Document(**values | listed)
