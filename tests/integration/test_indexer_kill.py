"""kill -9 of the extraction, of the indexer while it extracts, embeds or reindexes: every chunk once, nothing lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedding_server import EmbeddingServer
from indexer_process import IndexerProcess
from test_indexer_service import write_pdf

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag.jobs.v1 import jobs_pb2

# Crowded, so that a page takes long enough to extract for a kill in the middle.
PAGES, LINES = 60, 30


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pages = [[f"第{p}章の{n}番目の文は、倉庫{p}の棚{n}の話である。" for n in range(LINES)] for p in range(PAGES)]
    return write_pdf(tmp_path_factory.mktemp("book") / "book.pdf", pages)


@pytest.fixture
def models() -> Iterator[EmbeddingServer]:
    server = EmbeddingServer()
    yield server
    server.close()


@pytest.fixture
def indexer(tmp_path: Path, models: EmbeddingServer) -> Iterator[IndexerProcess]:
    process = IndexerProcess(tmp_path, models.url, LORAG_EMBEDDER="first:v1", LORAG_CHUNK_CHARS="100")
    process.start()
    yield process
    process.end()


def extracted(indexer: IndexerProcess, document_id: str) -> int:
    return len(list((indexer.data / "documents" / document_id / "pages").glob("[0-9]*.json")))


def check_whole(indexer: IndexerProcess, document_id: str, models: EmbeddingServer) -> None:
    """Every chunk is there once, with the vector and the place it has without a kill."""
    document = indexer.call("GetDocument", pb.GetDocumentRequest(id=document_id)).document
    assert document.state == pb.DOCUMENT_STATE_READY
    texts = {p.page: p.text for p in indexer.api.ExportText(pb.ExportTextRequest(document_id=document_id))}
    assert sorted(texts) == list(range(1, PAGES + 1))
    for page in (1, PAGES // 2, PAGES):
        assert texts[page].count("。") == LINES
        query = f"倉庫{page - 1}の棚7の話"
        hits = indexer.search(query, top_k=100, vector_weight=0.2)
        places = Counter((h.page, h.span_start) for h in hits)
        assert max(places.values()) == 1
        assert hits[0].page == page
    whole = count_chunks(indexer)
    assert document.chunk_count == whole
    assert len(set(models.embedded) - {"1"}) >= PAGES


def count_chunks(indexer: IndexerProcess) -> int:
    import lancedb

    meta = json.loads((indexer.data / "index" / "meta.json").read_text(encoding="utf-8"))
    table = lancedb.connect(indexer.data / "index" / "lancedb").open_table(meta["table"])
    ids = table.search().select(["chunk_id"]).limit(100_000).to_arrow()["chunk_id"].to_pylist()
    assert len(ids) == len(set(ids))
    return len(ids)


def test_kill_9_of_the_extraction_and_then_of_the_indexer(
    indexer: IndexerProcess, models: EmbeddingServer, book: Path
) -> None:
    reply = indexer.upload(book)
    document_id, job_id = reply.document.id, reply.job.id
    indexer.until(lambda: extracted(indexer, document_id) >= 5, "five pages are extracted")
    indexer.kill_child()
    before = extracted(indexer, document_id)
    assert before < PAGES
    indexer.until(lambda: extracted(indexer, document_id) >= before + 5, "the child went on")
    stamps = {p.name: p.stat().st_mtime_ns for p in (indexer.data / "documents" / document_id / "pages").iterdir()}

    indexer.kill()
    indexer.until(lambda: indexer.children() == [], "the child followed its service")
    assert extracted(indexer, document_id) < PAGES
    models.delay = 0.2
    indexer.start()
    indexer.until(lambda: len(models.embedded) > 100, "embedding is under way")
    assert len(indexer.children()) == 0
    indexer.kill()
    indexer.start()
    models.delay = 0.0
    assert indexer.ended(job_id).state == jobs_pb2.JOB_STATE_SUCCEEDED
    pages = indexer.data / "documents" / document_id / "pages"
    kept = [name for name, stamp in stamps.items() if name[0] != "." and (pages / name).stat().st_mtime_ns == stamp]
    assert len(kept) >= before, "finished pages were extracted again"
    check_whole(indexer, document_id, models)
    # What was in the store before the second kill was not embedded again: at most one batch came twice.
    repeated = sum(n - 1 for text, n in Counter(models.embedded).items() if text != "1" and not text.startswith("倉庫"))
    assert repeated <= 64


def test_kill_9_while_a_reindex_grows_leaves_the_old_index_serving(
    indexer: IndexerProcess, models: EmbeddingServer, book: Path
) -> None:
    document_id = indexer.index(book)
    models.delay = 0.2
    models.embedded.clear()
    job = indexer.call("StartReindex", pb.StartReindexRequest(embedder="second")).job
    indexer.until(lambda: len(models.embedded) > 100, "the reindex is under way")
    assert indexer.search("倉庫7の棚7の話", vector_weight=0.2)[0].page == 8
    indexer.kill()
    indexer.start(LORAG_EMBEDDER="second")
    models.delay = 0.0
    assert indexer.ended(job.id).state == jobs_pb2.JOB_STATE_SUCCEEDED
    check_whole(indexer, document_id, models)
    meta = json.loads((indexer.data / "index" / "meta.json").read_text(encoding="utf-8"))
    assert meta["embedder"]["model"] == "second:latest"


def test_deleting_a_document_in_the_middle_of_its_job_ends_both(
    indexer: IndexerProcess, models: EmbeddingServer, book: Path
) -> None:
    models.delay = 0.3
    reply = indexer.upload(book)
    indexer.until(lambda: len(models.embedded) > 100, "embedding is under way")
    indexer.call("DeleteDocument", pb.DeleteDocumentRequest(id=reply.document.id))
    assert indexer.ended(reply.job.id).state == jobs_pb2.JOB_STATE_CANCELLED
    models.delay = 0.0
    assert indexer.documents() == []
    again = indexer.index(book)
    assert again == reply.document.id
    check_whole(indexer, again, models)
