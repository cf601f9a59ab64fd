"""A file coming in: written to a temporary file, compared with what was announced, then handed to the library."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from lorag_common.errors import LoragError, Reason
from lorag_indexer.documents import Document, Library
from lorag_indexer.pdf_check import CheckLimits, check_pdf
from lorag_indexer.text_files import decode, kind_of, text_pages

NAME_CHARACTERS = 255
TAG_CHARACTERS = 60
MOST_TAGS = 50
# What people upload by mistake, by its first bytes.
_OTHERS = {
    b"MZ": "a Windows program",
    b"\x7fELF": "a Linux program",
    b"PK\x03\x04": "a ZIP archive or an Office document",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"{\\rtf": "an RTF document",
    b"<html": "an HTML page",
    b"<!DOCTYPE": "an HTML page",
}
_SCRIPTS = {
    "reason": "PDF_HAS_SCRIPTS",
    "message": "The PDF carries scripts. They are never run; only its text was read.",
    "remedy": "",
}


@dataclass(frozen=True)
class UploadLimits:
    """What is accepted: bytes, pages, and what opening a PDF may cost."""

    size: int
    pages: int = 5000
    check: CheckLimits = field(default_factory=CheckLimits)


class Upload:
    """Use as a context: what was not committed is removed.

    Args:
        library: where the document goes.
        name: its file name; folders in front of it are dropped.
        size: announced bytes, 0 when unknown.
        sha256: announced hash, empty when unknown.
        limits: what is accepted.
        tags: to narrow searches by.
        date: of the content, in seconds since the epoch; 0 when not given.

    Raises:
        LoragError: INVALID_FIELD, UPLOAD_TOO_LARGE.
    """

    def __init__(
        self,
        library: Library,
        name: str,
        size: int,
        sha256: str,
        limits: UploadLimits,
        tags: Sequence[str] = (),
        date: float = 0.0,
    ) -> None:
        self._library = library
        self._name = _file_name(name)
        self._kind = kind_of(self._name)
        self._tags = checked_tags(tags)
        self._date = date
        self._size = size
        self._expected = sha256.lower()
        self._limits = limits
        self._written = 0
        self._hash = hashlib.sha256()
        self._check_limit(size)
        self._path: Path = library.temporary()
        self._file = self._path.open("wb")

    def __enter__(self) -> Upload:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def write(self, content: bytes) -> None:
        """The next bytes.

        Raises:
            LoragError: UPLOAD_TOO_LARGE.
        """
        self._written += len(content)
        self._check_limit(self._written)
        self._hash.update(content)
        self._file.write(content)

    def commit(self) -> Document:
        """Compare, check that it can be opened, move it into place.

        Raises:
            LoragError: UPLOAD_CORRUPT, DOCUMENT_EMPTY, NOT_A_PDF, PDF_DAMAGED, PDF_ENCRYPTED, DOCUMENT_TOO_COMPLEX,
                TOO_MANY_PAGES, TEXT_UNREADABLE.
        """
        self._file.close()
        digest = self._hash.hexdigest()
        if self._size and self._size != self._written:
            raise LoragError(
                Reason.UPLOAD_CORRUPT, f"{self._size} bytes were announced, {self._written} came.", field="size"
            )
        if self._expected and self._expected != digest:
            raise LoragError(Reason.UPLOAD_CORRUPT, "The bytes do not have the announced sha256.", field="sha256")
        if not self._written:
            raise LoragError(Reason.DOCUMENT_EMPTY, "The file is empty: it has 0 bytes.")
        pages, notices = self._looked_into()
        if pages > self._limits.pages:
            raise LoragError(
                Reason.TOO_MANY_PAGES, f"The document has {pages} pages; at most {self._limits.pages} are taken."
            )
        found = Document(
            digest,
            self._name,
            self._written,
            pages,
            0.0,
            kind=self._kind,
            tags=self._tags,
            date=self._date,
            notices=notices,
        )
        return self._library.add(self._path, found)

    def _looked_into(self) -> tuple[int, tuple[dict[str, str], ...]]:
        """Number of pages, and what a person should know."""
        if self._kind != "pdf":
            text, encoding = decode(self._path.read_bytes())
            return sum(1 for _ in text_pages(text, self._kind, encoding)), ()
        with self._path.open("rb") as f:
            head = f.read(1024)
        if b"%PDF-" not in head:
            what = next((name for start, name in _OTHERS.items() if head.startswith(start)), "")
            message = f"'{self._name}' is {what} and no PDF." if what else f"'{self._name}' does not begin like a PDF."
            raise LoragError(Reason.NOT_A_PDF, message)
        check = check_pdf(self._path, self._limits.check)
        return check.pages, (_SCRIPTS,) if check.scripts else ()

    def _check_limit(self, size: int) -> None:
        if size > self._limits.size:
            raise LoragError(
                Reason.UPLOAD_TOO_LARGE, f"The file is larger than {self._limits.size} bytes.", field="size"
            )


def checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags without their doubles.

    Raises:
        LoragError: INVALID_FIELD.
    """
    plain = tuple(dict.fromkeys(unicodedata.normalize("NFC", tag).strip() for tag in tags))
    bad = any(not t or len(t) > TAG_CHARACTERS or any(unicodedata.category(c) == "Cc" for c in t) for t in plain)
    if bad or len(plain) > MOST_TAGS:
        raise LoragError(
            Reason.INVALID_FIELD,
            f"At most {MOST_TAGS} tags, each of 1 to {TAG_CHARACTERS} printable characters.",
            field="tags",
        )
    return plain


def _file_name(name: str) -> str:
    # Browsers on some systems send か + mark where others send が; one name must be one document.
    *folders, plain = unicodedata.normalize("NFC", name.replace("\\", "/")).strip().split("/")
    if ".." in folders or plain == "..":
        raise LoragError(Reason.INVALID_FIELD, "The name must not lead out of its folder ('..').", field="name")
    if not plain or len(plain) > NAME_CHARACTERS or any(unicodedata.category(c) == "Cc" for c in plain):
        raise LoragError(
            Reason.INVALID_FIELD, f"The name must have 1 to {NAME_CHARACTERS} printable characters.", field="name"
        )
    return plain
