"""Files made to hurt: each gets its own clear error within bounded time and memory, and the service lives."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from embedding_server import EmbeddingServer
from indexer_process import IndexerProcess

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
import hostile_pdfs as hostile

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag_common.errors import LoragError

SECONDS = 100.0
MEBIBYTES = 1024


@pytest.fixture(scope="module")
def indexer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexerProcess]:
    models = EmbeddingServer()
    data = tmp_path_factory.mktemp("data")
    settings = {"LORAG_EMBEDDER": "first:v1", "LORAG_EXTRACT_MEMORY_MIB": str(MEBIBYTES)}
    process = IndexerProcess(data, models.url, **settings)
    process.start()
    yield process
    process.end()
    models.close()


def outcome(indexer: IndexerProcess, name: str, content: bytes) -> tuple[str, str]:
    """Reason and message of the error that a file ends by, at once or in its job; empty when it was indexed."""
    path = indexer.data / "upload.bin"
    path.write_bytes(content)
    try:
        reply = indexer.upload(path, name)
    except LoragError as error:
        assert error.remedy
        return str(error.reason), error.message
    job = indexer.ended(reply.job.id)
    return job.error.reason, job.error.message


FILES = {
    "truncated": ("cut.pdf", hostile.truncated, "PDF_DAMAGED"),
    "10,000 pages": ("long.pdf", lambda: hostile.many_pages(10_000), "TOO_MANY_PAGES"),
    "bomb": ("bomb.pdf", hostile.bomb, "DOCUMENT_TOO_COMPLEX"),
    "encrypted": ("locked.pdf", hostile.encrypted, "PDF_ENCRYPTED"),
    "renamed program": ("invoice.pdf", lambda: hostile.PROGRAM, "NOT_A_PDF"),
    "empty": ("empty.pdf", lambda: b"", "DOCUMENT_EMPTY"),
    "leading out": ("../../../etc/a.pdf", hostile.HANDBOOK.read_bytes, "INVALID_FIELD"),
    "program as text": ("notes.txt", lambda: hostile.PROGRAM, "TEXT_UNREADABLE"),
    "nested objects": ("deep.pdf", hostile.nested, "DOCUMENT_TOO_COMPLEX"),
    "nested content": ("deeper.pdf", hostile.nested_content, "DOCUMENT_TOO_COMPLEX"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_gets_its_own_error_and_the_service_lives(indexer: IndexerProcess, name: str) -> None:
    file, make, reason = FILES[name]
    content = make()
    before = len(indexer.documents())
    started = time.monotonic()
    got, message = outcome(indexer, file, content)
    took = time.monotonic() - started
    print(f"{name}: {len(content)} bytes, {took:.1f} s, {got}: {message}")
    assert got == reason
    assert message
    assert ("nested deeper" in message) == name.startswith("nested")
    assert took < SECONDS
    assert indexer.memory() < MEBIBYTES
    failed = [d for d in indexer.documents() if d.state == pb.DOCUMENT_STATE_FAILED]
    assert len(indexer.documents()) - before == (1 if file in {d.name for d in failed} else 0)


def test_scripts_are_never_run_and_said(indexer: IndexerProcess) -> None:
    path = indexer.data / "scripted.pdf"
    path.write_bytes(hostile.scripted())
    document_id = indexer.index(path)
    document = indexer.call("GetDocument", pb.GetDocumentRequest(id=document_id)).document
    assert [n.reason for n in document.notices] == ["PDF_HAS_SCRIPTS"]
    hits = indexer.search("allowance a day", mode=pb.SEARCH_MODE_KEYWORD)
    assert hits[0].text == "The allowance is twenty three dollars a day."


def test_afterwards_a_good_file_is_indexed(indexer: IndexerProcess) -> None:
    assert indexer.index(hostile.HANDBOOK)
    assert indexer.search("創業者は誰ですか。", mode=pb.SEARCH_MODE_KEYWORD)[0].document_name == "handbook_ja.pdf"
    assert [
        p for p in psutil.Process(indexer.pid).children(recursive=True) if "extract_job" in " ".join(p.cmdline())
    ] == []
