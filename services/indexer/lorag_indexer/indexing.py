"""What the indexer does: take documents in, index them as durable jobs, search, delete, make the index anew.

An indexing job extracts in a child process (`extract_job`) and then embeds and writes in this one, which alone opens
the index. Both halves go on from what is on disk, so a job that is cut off anywhere ends with every chunk exactly once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lorag_common import rag_config
from lorag_common.errors import LoragError, Reason
from lorag_common.jobs import FINAL, JobContext, JobRecord, Jobs
from lorag_common.log import get_logger
from lorag_indexer.documents import Document, Library
from lorag_indexer.fusion import Hit
from lorag_indexer.index import Index, IndexMeta
from lorag_indexer.pdf import PageText
from lorag_indexer.store import Scope
from lorag_indexer.uploads import Upload

log = get_logger(__name__)

QUEUE = "indexing"
MAX_TOP_K = 100
DEFAULT_TOP_K = 5
MAX_QUERY_CHARACTERS = 4000


class Indexer:
    """The indexer's work, without the wire.

    Args:
        data: the data folder.
        library: the documents.
        index: the index.
        jobs: the indexer's jobs; their kinds are registered here.
        max_document_bytes: largest PDF that is taken in.
    """

    def __init__(self, data: Path, library: Library, index: Index, jobs: Jobs, max_document_bytes: int) -> None:
        self._data = data
        self._library = library
        self._index = index
        self._jobs = jobs
        self._limit = max_document_bytes
        jobs.register("indexing", self._indexing, QUEUE)
        jobs.register("reindexing", self._reindexing, QUEUE)

    def recover(self) -> None:
        """Before the jobs are launched: remove what a crash left."""
        self._library.sweep()
        for document in self._library.all():
            if not document.indexed and not document.job_id:
                # Stored, but the crash came before its job was queued: nobody was told that it had been taken in.
                self._library.remove(document.id)
        # Tables are left alone: a reindex that was cut off goes on with its own.
        self._index.delete(sorted(self._index.document_ids() - self._known()))

    def upload(self, name: str, size: int, sha256: str) -> Upload:
        """Begin to take a PDF in.

        Raises:
            LoragError: EMBEDDER_MISSING, EMBEDDER_CHANGED, INVALID_FIELD, UPLOAD_TOO_LARGE.
        """
        self._index.check_embedder()
        return Upload(self._library, name, size, sha256, self._limit)

    def accept(self, upload: Upload) -> tuple[Document, JobRecord]:
        """Store an upload and queue its indexing; a document that is indexed or on its way keeps its job.

        Raises:
            LoragError: as `Upload.commit`.
        """
        document = upload.commit()
        job = self._job(document)
        if document.indexed:
            self._replace_older(document)
        if job is None or (not document.indexed and job.state in FINAL):
            return self._enqueue(document)
        return document, job

    def document(self, document_id: str) -> tuple[Document, JobRecord | None]:
        """A document and the job that indexes it.

        Raises:
            LoragError: DOCUMENT_NOT_FOUND.
        """
        document = self._library.get(document_id)
        return document, self._job(document)

    def documents(self, offset: int, limit: int) -> list[tuple[Document, JobRecord | None]]:
        """Documents, newest first, each with its job."""
        return [(d, self._job(d)) for d in self._library.all()[offset : offset + limit]]

    def delete(self, document_id: str) -> None:
        """Remove a document, its pages and its chunks, and cancel its job.

        Raises:
            LoragError: DOCUMENT_NOT_FOUND.
        """
        document = self._library.get(document_id)
        job = self._job(document)
        self._library.remove(document_id)
        if job is not None and job.state not in FINAL:
            self._jobs.cancel(job.id)
        self._index.delete([document_id])

    def pages(self, document_id: str) -> Iterator[PageText]:
        """Extracted pages of a document, in order.

        Raises:
            LoragError: DOCUMENT_NOT_FOUND.
        """
        self._library.get(document_id)
        return self._library.folder(document_id).pages()

    def search(
        self, query: str, top_k: int = 0, document_ids: tuple[str, ...] = (), vector_weight: float | None = None
    ) -> list[tuple[Hit, str]]:
        """The chunks that fit best, each with its document's name.

        Raises:
            LoragError: INVALID_FIELD, INDEX_EMPTY, DOCUMENT_NOT_FOUND for a document_id that is not there,
                EMBEDDER_CHANGED, MODEL_SERVER_UNAVAILABLE.
        """
        weight = rag_config.load(self._data).retrieval.vector_weight if vector_weight is None else vector_weight
        _check_search(query, top_k, weight)
        if not self._library.searchable():
            raise LoragError(Reason.INDEX_EMPTY, "Nothing is indexed yet.")
        for document_id in document_ids:
            self._library.get(document_id)
        scope = Scope(frozenset(document_ids) if document_ids else None, self._library.unfinished())
        hits = self._index.search(query, top_k or DEFAULT_TOP_K, weight, scope)
        return [(hit, self._library.get(i).name) for hit in hits if self._library.has(i := hit.chunk.document_id)]

    def start_reindex(self, embedder: str, request_id: str) -> JobRecord:
        """Queue a new index over all documents.

        Raises:
            LoragError: EMBEDDER_MISSING, MODEL_NOT_FOUND, MODEL_SERVER_UNAVAILABLE, REQUEST_ID_REUSED.
        """
        self._index.plan("", embedder)
        return self._jobs.start("reindexing", {"embedder": embedder}, request_id)

    # The bodies of the jobs. Only `child` and `step` have effects.

    def _indexing(self, context: JobContext) -> None:
        document_id = str(context.spec["document_id"])
        try:
            context.child("lorag_indexer.extract_job")
            context.step("index", self._index_document, context, document_id)
        finally:
            # A child that was at work on a page while its document was deleted may have left that page.
            if not self._library.has(document_id):
                self._library.sweep_document(document_id)
            else:
                unusable = self._library.folder(document_id).pages_without_text()
                self._library.update(document_id, pages_without_text=unusable)

    def _index_document(self, context: JobContext, document_id: str) -> None:
        if not self._library.has(document_id):
            raise LoragError(Reason.DOCUMENT_NOT_FOUND, "The document was deleted.")
        chunks = self._write(context, self._index.ensure(), document_id)
        document = self._library.update(document_id, indexed=True, chunk_count=chunks)
        self._replace_older(document)

    def _reindexing(self, context: JobContext) -> None:
        table = f"chunks_{context.job_id.rpartition('-')[2]}"
        planned = context.step("plan", self._plan, table, context.spec["embedder"])
        meta = IndexMeta.from_dict(planned["meta"])
        try:
            for document_id in planned["documents"]:
                context.step(f"write {document_id}", self._rewrite, context, meta, document_id)
            context.step("switch", self._switch, meta)
        except Exception:
            self._index.sweep(self._known())
            raise

    def _plan(self, table: str, embedder: str) -> dict[str, Any]:
        self._index.sweep(self._known(), keep=table)
        documents = [d.id for d in self._library.all() if d.indexed]
        return {"meta": self._index.plan(table, embedder).as_dict(), "documents": documents}

    def _rewrite(self, context: JobContext, meta: IndexMeta, document_id: str) -> None:
        if self._library.has(document_id):
            self._write(context, meta, document_id)

    def _switch(self, meta: IndexMeta) -> None:
        self._index.switch(meta, self._known)
        for document in self._library.all():
            if document.indexed:
                self._library.update(document.id, chunk_count=self._index.count(meta, document.id))

    def _write(self, context: JobContext, meta: IndexMeta, document_id: str) -> int:
        folder = self._library.folder(document_id)
        total = self._library.get(document_id).page_count

        def wanted() -> bool:
            if context.cancelled():
                raise LoragError(Reason.CANCELLED, "The job was cancelled.")
            return self._library.has(document_id)

        def progress(page: int) -> None:
            context.report("indexing", page, total)

        return self._index.write(meta, document_id, folder.pages(), wanted, progress)

    def _replace_older(self, document: Document) -> None:
        """New bytes under a name take the place of the old ones, which go only now that the new are searchable."""
        for old in self._library.same_name(document):
            log.info("document replaced", old=old.id, new=document.id)
            self.delete(old.id)

    def _enqueue(self, document: Document) -> tuple[Document, JobRecord]:
        job = self._jobs.start("indexing", {"document_id": document.id})
        return self._library.update(document.id, job_id=job.id), job

    def _job(self, document: Document) -> JobRecord | None:
        if not document.job_id:
            return None
        try:
            return self._jobs.get(document.job_id)
        except LoragError:
            return None

    def _known(self) -> set[str]:
        return {d.id for d in self._library.all()}


def _check_search(query: str, top_k: int, weight: float) -> None:
    if not query.strip():
        raise LoragError(Reason.INVALID_FIELD, "The query is empty.", field="query")
    if len(query) > MAX_QUERY_CHARACTERS:
        raise LoragError(
            Reason.INVALID_FIELD, f"The query is longer than {MAX_QUERY_CHARACTERS} characters.", field="query"
        )
    if not 0 <= top_k <= MAX_TOP_K:
        raise LoragError(Reason.INVALID_FIELD, f"top_k must be 0 to {MAX_TOP_K}.", field="top_k")
    if not 0 <= weight <= 1:
        raise LoragError(Reason.INVALID_FIELD, "vector_weight must be 0 to 1.", field="vector_weight")
