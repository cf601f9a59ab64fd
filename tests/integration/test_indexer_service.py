"""The indexer as it runs: PDFs in, hits out, and every misuse named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest
from embedding_server import EmbeddingServer
from indexer_process import IndexerProcess, reason_of
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag.jobs.v1 import jobs_pb2
from lorag_common.rag_config import RagConfig, save

HANDBOOK = Path(__file__).parents[1] / "data" / "handbook_ja.pdf"
QUESTIONS = [
    ("創業者は誰ですか。", 1),
    ("あさひ製作所はどの町で生まれたのか", 1),
    ("海外拠点の場所", 1),
    ("有給休暇の上限は何日か", 2),
    ("終業の時刻は何時ですか", 2),
    ("介護の休暇", 2),
    ("出張の日当はいくらですか", 3),
    ("自家用車を使うと1キロメートルあたりいくらもらえるか", 3),
    ("地震のときの集合場所はどこですか", 4),
    ("切削油をこぼしたらどうするか", 4),
    ("図面を社外に送るには", 4),
]


def write_pdf(path: Path, pages: list[list[str]]) -> Path:
    pdfmetrics.registerFont(UnicodeCIDFont("HeiseiMin-W3"))
    canvas = Canvas(str(path), invariant=True)
    for lines in pages:
        canvas.setFont("HeiseiMin-W3", 12)
        for n, line in enumerate(lines):
            canvas.drawString(60, 780 - 20 * n, line)
        canvas.showPage()
    canvas.save()
    return path


@pytest.fixture
def models() -> Iterator[EmbeddingServer]:
    server = EmbeddingServer()
    yield server
    server.close()


@pytest.fixture
def indexer(tmp_path: Path, models: EmbeddingServer) -> Iterator[IndexerProcess]:
    data = tmp_path / "data"
    data.mkdir()
    process = IndexerProcess(data, models.url, LORAG_EMBEDDER="first:v1", LORAG_CHUNK_SENTENCES="2")
    process.start()
    yield process
    process.end()


def test_a_japanese_question_finds_the_page_of_a_pdf_that_a_browser_printed(indexer: IndexerProcess) -> None:
    document_id = indexer.index(HANDBOOK)
    (document,) = indexer.documents()
    assert (document.id, document.name, document.state) == (document_id, "handbook_ja.pdf", pb.DOCUMENT_STATE_READY)
    assert document.page_count == 4
    assert document.chunk_count >= 16
    assert list(document.pages_without_text) == []

    pages = indexer.api.ExportText(pb.ExportTextRequest(document_id=document_id))
    text = {p.page: p.text for p in pages}
    assert sorted(text) == [1, 2, 3, 4]
    for query, page in QUESTIONS:
        best = indexer.search(query, vector_weight=0.3)[0]
        assert best.page == page, query
        assert best.document_name == "handbook_ja.pdf"
        assert best.text == text[page][best.span_start : best.span_end]
        assert best.keyword_score > 0
        assert 0 < best.score <= 1


def test_the_legs_and_the_limits_of_a_search(indexer: IndexerProcess, tmp_path: Path, models: EmbeddingServer) -> None:
    first = indexer.index(HANDBOOK)
    second = indexer.index(write_pdf(tmp_path / "b.pdf", [["駐車場は東にある。"], ["休暇の話ではない。"]]))
    assert {h.document_id for h in indexer.search("駐車場", document_ids=[second])} == {second}
    assert {h.document_id for h in indexer.search("休暇", top_k=20)} == {first, second}
    assert len(indexer.search("休暇", top_k=3)) == 3
    assert indexer.search("駐車場は東にある。", vector_weight=1)[0].vector_score == pytest.approx(1.0, abs=1e-4)
    assert all(h.vector_score == 0 for h in indexer.search("駐車場", vector_weight=0))

    def search(**fields: Any) -> str:
        return reason_of(lambda: indexer.call("Search", pb.SearchRequest(**fields)))

    assert search(query=" ") == "INVALID_FIELD"
    assert search(query="x", top_k=101) == "INVALID_FIELD"
    assert search(query="x", vector_weight=1.5) == "INVALID_FIELD"
    assert search(query="x", document_ids=["nobody"]) == "DOCUMENT_NOT_FOUND"
    models.close()
    vector = pb.SearchRequest(query="駐車場", mode=pb.SEARCH_MODE_VECTOR)
    assert reason_of(lambda: indexer.call("Search", vector)) == "MODEL_SERVER_UNAVAILABLE"
    # A hybrid search goes on by keywords, and says so.
    reply = indexer.call("Search", pb.SearchRequest(query="駐車場", vector_weight=0.3))
    assert reply.hits and reply.vector_weight == 0
    assert [n.reason for n in reply.notices] == ["MODEL_SERVER_UNAVAILABLE"]
    assert reply.notices[0].remedy


def test_bad_files_are_refused_at_once_and_leave_nothing(indexer: IndexerProcess, tmp_path: Path) -> None:
    assert reason_of(lambda: indexer.search("休暇")) == "INDEX_EMPTY"
    text = tmp_path / "a.pdf"
    text.write_text("not a PDF")
    assert reason_of(lambda: indexer.upload(text)) == "NOT_A_PDF"
    writer = pypdf.PdfWriter(clone_from=HANDBOOK)
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(tmp_path / "locked.pdf")
    assert reason_of(lambda: indexer.upload(tmp_path / "locked.pdf")) == "PDF_ENCRYPTED"
    metadata = pb.UploadDocumentMetadata(name="a.pdf", size=9)
    for messages in (
        [],
        [pb.UploadDocumentRequest(chunk=b"%PDF-")],
        [pb.UploadDocumentRequest(metadata=metadata), pb.UploadDocumentRequest(metadata=metadata)],
    ):
        assert reason_of(lambda m=messages: indexer.call("UploadDocument", iter(m))) == "INVALID_FIELD"  # type: ignore[misc]
    assert indexer.documents() == []
    assert list((indexer.data / "documents").iterdir()) == []
    for method, request in (
        ("GetDocument", pb.GetDocumentRequest(id="x")),
        ("DeleteDocument", pb.DeleteDocumentRequest(id="../x")),
    ):
        assert reason_of(lambda m=method, r=request: indexer.call(m, r)) == "DOCUMENT_NOT_FOUND"  # type: ignore[misc]


def test_a_pdf_without_text_fails_with_its_pages_named(indexer: IndexerProcess, tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "scan.pdf"))
    for _ in range(2):
        canvas.rect(50, 50, 300, 300, fill=1)
        canvas.showPage()
    canvas.save()
    job = indexer.ended(indexer.upload(tmp_path / "scan.pdf").job.id)
    assert (job.state, job.error.reason) == (jobs_pb2.JOB_STATE_FAILED, "PDF_WITHOUT_TEXT")
    (document,) = indexer.documents()
    assert document.state == pb.DOCUMENT_STATE_FAILED
    assert document.error.reason == "PDF_WITHOUT_TEXT"
    assert list(document.pages_without_text) == [1, 2]
    assert reason_of(lambda: indexer.search("x")) == "INDEX_EMPTY"


def test_the_same_bytes_are_one_document_and_new_ones_replace_the_old(indexer: IndexerProcess, tmp_path: Path) -> None:
    old = write_pdf(tmp_path / "old.pdf", [["定員は482人である。"]])
    new = write_pdf(tmp_path / "new.pdf", [["定員は917人である。"]])
    first = indexer.index(old, "hall.pdf")
    again = indexer.upload(old, "hall.pdf")
    assert (again.document.id, again.document.state) == (first, pb.DOCUMENT_STATE_READY)
    assert again.job.state == jobs_pb2.JOB_STATE_SUCCEEDED
    second = indexer.index(new, "hall.pdf")
    assert [d.id for d in indexer.documents()] == [second]
    assert ["917" in h.text for h in indexer.search("定員は何人か", top_k=10)] == [True]
    assert indexer.index(old, "hall.pdf") == first
    assert [d.id for d in indexer.documents()] == [first]


def test_deleting_removes_every_trace(indexer: IndexerProcess, tmp_path: Path) -> None:
    kept = indexer.index(write_pdf(tmp_path / "a.pdf", [["The kept zebrafish."]]))
    gone = indexer.index(write_pdf(tmp_path / "b.pdf", [["The secret quokka."]]))
    indexer.call("DeleteDocument", pb.DeleteDocumentRequest(id=gone))
    assert [d.id for d in indexer.documents()] == [kept]
    assert {h.document_id for h in indexer.search("secret quokka", top_k=10)} == {kept}
    files = [p for p in indexer.data.rglob("*") if p.is_file()]
    assert any(b"zebrafish" in p.read_bytes() for p in files)
    assert not any(b"quokka" in p.read_bytes() for p in files)
    assert not (indexer.data / "documents" / gone).exists()


def test_an_index_belongs_to_its_embedder_until_a_reindex(
    indexer: IndexerProcess, tmp_path: Path, models: EmbeddingServer
) -> None:
    first = indexer.index(HANDBOOK)
    before = indexer.documents()[0].chunk_count
    indexer.restart(LORAG_EMBEDDER="second", LORAG_CHUNK_SENTENCES="1")
    other = write_pdf(tmp_path / "b.pdf", [["新しい文書である。"]])
    # Another embedder is configured: uploads and searches go on with the index's own until a reindex.
    indexer.index(other)
    assert indexer.search("創業者は誰ですか。", vector_weight=1)

    unknown = pb.StartReindexRequest(embedder="nobody")
    assert reason_of(lambda: indexer.call("StartReindex", unknown)) == "MODEL_NOT_FOUND"
    request = pb.StartReindexRequest(request_id="r1")
    job = indexer.call("StartReindex", request).job
    assert indexer.call("StartReindex", request).job.id == job.id
    assert indexer.ended(job.id).state == jobs_pb2.JOB_STATE_SUCCEEDED

    assert next(d for d in indexer.documents() if d.id == first).chunk_count > before
    for query, page in QUESTIONS:
        assert indexer.search(query, vector_weight=0.3, document_ids=[first])[0].page == page, query
    assert len([p for p in (indexer.data / "index" / "lancedb").iterdir() if p.suffix == ".lance"]) == 2
    models.models["second:latest"] = ("3" * 64, 48)
    strict = pb.SearchRequest(query="休暇", mode=pb.SEARCH_MODE_VECTOR)
    assert reason_of(lambda: indexer.call("Search", strict)) == "EMBEDDER_CHANGED"
    reply = indexer.call("Search", pb.SearchRequest(query="休暇", vector_weight=0.5))
    assert reply.hits and [n.reason for n in reply.notices] == ["EMBEDDER_CHANGED"]


def test_without_any_model_the_first_upload_says_what_to_do(tmp_path: Path, models: EmbeddingServer) -> None:
    process = IndexerProcess(tmp_path, models.url)
    process.start()
    try:
        assert reason_of(lambda: process.upload(HANDBOOK)) == "EMBEDDER_MISSING"
        config = RagConfig()
        config.llm.ollama.model, config.llm.ollama.base_url = "first:v1", models.url
        save(tmp_path, config)
        process.index(HANDBOOK)
        # Another release is active now; the index stays with the embedder it has, and uploads go on.
        config.llm.ollama.model = "second"
        save(tmp_path, config)
        process.index(write_pdf(tmp_path / "b.pdf", [["新しい文書である。"]]))
        assert process.search("新しい文書", vector_weight=0.5)[0].document_name == "b.pdf"
    finally:
        process.end()
