"""A PDF coming in: written to a temporary file, compared with what was announced, then handed to the library."""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import Path
from types import TracebackType

from lorag_common.errors import LoragError, Reason
from lorag_indexer.documents import Document, Library
from lorag_indexer.pdf_check import check_pdf

NAME_CHARACTERS = 255


class Upload:
    """Use as a context: what was not committed is removed.

    Args:
        library: where the document goes.
        name: its file name; folders in front of it are dropped.
        size: announced bytes, 0 when unknown.
        sha256: announced hash, empty when unknown.
        limit: most bytes that are accepted.

    Raises:
        LoragError: INVALID_FIELD, UPLOAD_TOO_LARGE.
    """

    def __init__(self, library: Library, name: str, size: int, sha256: str, limit: int) -> None:
        self._library = library
        self._name = _file_name(name)
        self._size = size
        self._expected = sha256.lower()
        self._limit = limit
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
        """Compare, check that it is a PDF, move it into place.

        Raises:
            LoragError: UPLOAD_CORRUPT, NOT_A_PDF, PDF_ENCRYPTED.
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
            raise LoragError(Reason.NOT_A_PDF, "The file is empty.")
        return self._library.add(self._path, digest, self._name, check_pdf(self._path))

    def _check_limit(self, size: int) -> None:
        if size > self._limit:
            raise LoragError(Reason.UPLOAD_TOO_LARGE, f"The file is larger than {self._limit} bytes.", field="size")


def _file_name(name: str) -> str:
    # Browsers on some systems send か + mark where others send が; one name must be one document.
    plain = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2]).strip()
    if not plain or len(plain) > NAME_CHARACTERS or any(unicodedata.category(c) == "Cc" for c in plain):
        raise LoragError(
            Reason.INVALID_FIELD, f"The name must have 1 to {NAME_CHARACTERS} printable characters.", field="name"
        )
    return plain
