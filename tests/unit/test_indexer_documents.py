from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pdf_cases import encoded_pdf

from lorag_common.errors import LoragError
from lorag_indexer.documents import Library
from lorag_indexer.pages import PageState, PageText
from lorag_indexer.uploads import Upload, UploadLimits

LIMIT = 100_000
LIMITS = UploadLimits(LIMIT)


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return encoded_pdf(tmp_path / "made.pdf", "90ms-RKSJ-H", ["休暇は12日である。".encode("cp932")]).read_bytes()


def upload(library: Library, content: bytes, name: str = "a.pdf", size: int = 0, sha256: str = "") -> str:
    with Upload(library, name, size, sha256, LIMITS) as incoming:
        incoming.write(content[:100])
        incoming.write(content[100:])
        return incoming.commit().id


def test_an_upload_is_stored_under_its_hash(tmp_path: Path, content: bytes) -> None:
    library = Library(tmp_path)
    sha256 = hashlib.sha256(content).hexdigest()
    assert upload(library, content, "folder/手引き.pdf", len(content), sha256.upper()) == sha256
    document = library.get(sha256)
    assert (document.name, document.size, document.page_count, document.indexed) == (
        "手引き.pdf",
        len(content),
        1,
        False,
    )
    assert (tmp_path / "documents" / sha256 / "original.pdf").read_bytes() == content
    assert Library(tmp_path).get(sha256) == document


def test_the_same_bytes_twice_are_one_document(tmp_path: Path, content: bytes) -> None:
    library = Library(tmp_path)
    first = upload(library, content, "a.pdf")
    library.update(first, indexed=True, chunk_count=2)
    assert upload(library, content, "b.pdf") == first
    assert [(d.name, d.indexed) for d in library.all()] == [("b.pdf", True)]


@pytest.mark.parametrize(
    ("size", "sha256", "reason"),
    [(7, "", "UPLOAD_CORRUPT"), (0, "00", "UPLOAD_CORRUPT"), (LIMIT + 1, "", "UPLOAD_TOO_LARGE")],
)
def test_what_is_not_as_announced_leaves_nothing(
    tmp_path: Path, content: bytes, size: int, sha256: str, reason: str
) -> None:
    library = Library(tmp_path)
    with pytest.raises(LoragError) as caught:
        upload(library, content, size=size, sha256=sha256)
    assert caught.value.reason == reason
    assert list((tmp_path / "documents").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no pdf", b"x" * (LIMIT + 1)])
def test_other_bytes_leave_nothing_either(tmp_path: Path, content: bytes) -> None:
    library = Library(tmp_path)
    with pytest.raises(LoragError) as caught:
        upload(library, content)
    assert caught.value.reason in ("DOCUMENT_EMPTY", "NOT_A_PDF", "UPLOAD_TOO_LARGE")
    assert list((tmp_path / "documents").iterdir()) == []


@pytest.mark.parametrize(
    "name", ["", " ", "a/", "x" * 256, "a\nb.pdf", "../a.pdf", "a/../../b.pdf", "..", "..\\..\\a.pdf"]
)
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(LoragError) as caught:
        Upload(Library(tmp_path), name, 0, "", LIMITS)
    assert caught.value.field == "name"


def test_pages_are_kept_and_read_in_order(tmp_path: Path, content: bytes) -> None:
    library = Library(tmp_path)
    folder = library.folder(upload(library, content))
    assert folder.page(1) is None
    assert folder.pages_without_text() == ()
    pages = [PageText(n, PageState.TEXT, f"ページ{n}", "raw", "pypdf") for n in (1, 2, 10)]
    for page in reversed(pages):
        folder.write_page(page)
    folder.write_extraction(10, [3, 4])
    assert list(folder.pages()) == pages
    assert folder.pages_without_text() == (3, 4)


def test_removing_takes_every_file_and_a_second_time_is_an_error(tmp_path: Path, content: bytes) -> None:
    library = Library(tmp_path)
    document_id = upload(library, content)
    library.remove(document_id)
    assert list((tmp_path / "documents").iterdir()) == []
    with pytest.raises(LoragError) as caught:
        library.remove(document_id)
    assert caught.value.reason == "DOCUMENT_NOT_FOUND"


def test_the_sweep_removes_what_a_crash_left(tmp_path: Path, content: bytes) -> None:
    library = Library(tmp_path)
    kept = upload(library, content)
    root = tmp_path / "documents"
    (root / ".incoming-x").write_bytes(b"half")
    (root / ".deleted-x" / "pages").mkdir(parents=True)
    (root / ("0" * 64)).mkdir()
    Library(tmp_path).sweep()
    assert [p.name for p in root.iterdir()] == [kept]


def test_newer_bytes_under_a_name_replace_the_older(tmp_path: Path, content: bytes) -> None:
    library = Library(tmp_path)
    old, new = upload(library, content), upload(library, content + b"\n")
    assert [d.id for d in library.same_name(library.get(new))] == [old]
    assert library.same_name(library.get(old)) == []
