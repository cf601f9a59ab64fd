"""kill -9 in the middle of 50 PDFs, and another embedder taking over while searches run."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import lancedb
import pytest
from embedding_server import EmbeddingServer
from indexer_process import IndexerProcess, reason_of
from test_indexer_service import write_pdf

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag.jobs.v1 import jobs_pb2

FILES = 50


@pytest.fixture
def models() -> Iterator[EmbeddingServer]:
    server = EmbeddingServer()
    yield server
    server.close()


@pytest.fixture
def indexer(tmp_path: Path, models: EmbeddingServer) -> Iterator[IndexerProcess]:
    (tmp_path / "data").mkdir()
    process = IndexerProcess(tmp_path / "data", models.url, LORAG_EMBEDDER="first:v1", LORAG_CHUNK_CHARS="60")
    process.start()
    yield process
    process.end()


def pdf(folder: Path, n: int) -> Path:
    pages = [[f"倉庫{n}の{p}階の責任者は社員番号{n * 100 + p}の人である。", f"棚は{n + p}本ある。"] for p in (1, 2)]
    return write_pdf(folder / f"store{n}.pdf", pages)


def rows(indexer: IndexerProcess) -> Counter[str]:
    """Document -> chunks of it in the table that serves; no chunk twice."""
    meta = json.loads((indexer.data / "index" / "meta.json").read_text(encoding="utf-8"))
    table = lancedb.connect(indexer.data / "index" / "lancedb").open_table(meta["table"])
    found = table.search().select(["chunk_id", "document_id"]).limit(100_000).to_arrow()
    ids = found["chunk_id"].to_pylist()
    assert len(ids) == len(set(ids))
    return Counter(found["document_id"].to_pylist())


def all_documents(indexer: IndexerProcess) -> list[pb.Document]:
    return list(indexer.call("ListDocuments", pb.ListDocumentsRequest(page_size=200)).documents)


def test_kill_9_in_the_middle_of_50_pdfs_loses_none_and_doubles_none(indexer: IndexerProcess, tmp_path: Path) -> None:
    sent = {indexer.upload(pdf(tmp_path, n)).document.id: n for n in range(FILES)}
    assert len(sent) == FILES
    seen: set[int] = set()
    for least in (5, 20, 35):
        indexer.until(
            lambda n=least: sum(d.state == pb.DOCUMENT_STATE_READY for d in all_documents(indexer)) >= n, "some"
        )  # type: ignore[misc]
        indexer.kill()
        indexer.start()
        states = Counter(d.state for d in all_documents(indexer))
        seen.add(states[pb.DOCUMENT_STATE_READY])
        # Right after the restart each is fully there or queued, and the index holds what the records say.
        assert states[pb.DOCUMENT_STATE_READY] + states[pb.DOCUMENT_STATE_INDEXING] == FILES
        held = rows(indexer)
        for document in all_documents(indexer):
            if document.state == pb.DOCUMENT_STATE_READY:
                assert held[document.id] == document.chunk_count > 0
    assert max(seen) < FILES, "every kill came too late to mean anything"
    indexer.until(lambda: all(d.state == pb.DOCUMENT_STATE_READY for d in all_documents(indexer)), "all are indexed")
    documents = all_documents(indexer)
    assert {d.id for d in documents} == set(sent)
    folders = {p.name for p in (indexer.data / "documents").iterdir()}
    assert folders == set(sent)
    assert rows(indexer) == Counter({d.id: d.chunk_count for d in documents})
    print(
        f"{FILES} files, 3 kills: {len(folders)} folders, {len(documents)} records, {len(rows(indexer))} in the index"
    )
    for document_id, n in list(sent.items())[::10]:
        hit = indexer.search(f"倉庫{n}の2階の責任者", mode=pb.SEARCH_MODE_KEYWORD)[0]
        assert (hit.document_id, hit.page) == (document_id, 2)


def test_switching_the_embedder_and_back_fails_no_search(
    indexer: IndexerProcess, models: EmbeddingServer, tmp_path: Path
) -> None:
    for n in range(8):
        indexer.index(pdf(tmp_path, n))
    models.delay = 0.05
    stop = threading.Event()
    failures: list[str] = []
    counts: Counter[str] = Counter()

    def search(mode: int) -> None:
        while not stop.is_set():
            try:
                reply = indexer.call("Search", pb.SearchRequest(query="倉庫3の1階の責任者", mode=mode))  # type: ignore[arg-type]
            except Exception as error:
                failures.append(repr(error))
                return
            if not reply.hits or reply.notices:
                failures.append(str(reply))
            counts[str(mode)] += 1

    modes = (pb.SEARCH_MODE_HYBRID, pb.SEARCH_MODE_VECTOR, pb.SEARCH_MODE_KEYWORD)
    threads = [threading.Thread(target=search, args=(mode,)) for mode in modes]
    for thread in threads:
        thread.start()
    dimensions = []
    try:
        request = pb.StartReindexRequest(embedder="second")
        assert indexer.ended(indexer.call("StartReindex", request).job.id).state == jobs_pb2.JOB_STATE_SUCCEEDED
        dimensions.append(indexer.call("GetIndex", pb.GetIndexRequest()).serving.embedder.dimension)
        late = indexer.index(pdf(tmp_path, 20))
        back = indexer.call("StartIndexRollback", pb.StartIndexRollbackRequest()).job
        assert indexer.ended(back.id).state == jobs_pb2.JOB_STATE_SUCCEEDED
        index = indexer.call("GetIndex", pb.GetIndexRequest())
        dimensions.append(index.serving.embedder.dimension)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert dimensions == [32, 64]
    assert index.previous.embedder.model == "second:latest"
    assert index.serving.document_count == index.previous.document_count == 9
    assert late in {h.document_id for h in indexer.search("倉庫20の1階", mode=pb.SEARCH_MODE_KEYWORD)}
    print(f"searches during two switches: {dict(counts)}, failed: {len(failures)}")
    assert min(counts.values()) > 10


def test_a_rollback_needs_an_index_to_return_to(indexer: IndexerProcess, tmp_path: Path) -> None:
    indexer.index(pdf(tmp_path, 1))
    request = pb.StartIndexRollbackRequest()
    assert reason_of(lambda: indexer.call("StartIndexRollback", request)) == "NO_PREVIOUS_INDEX"
