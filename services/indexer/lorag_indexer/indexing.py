"""What the indexer does: take documents in, index them as durable jobs, delete, make the index anew.

An indexing job extracts in a child process (`extract_job`) and then embeds and writes in this one, which alone opens
the index. Both halves go on from what is on disk, so a job that is cut off anywhere ends with every chunk exactly once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lorag_common.errors import LoragError, Reason
from lorag_common.jobs import FINAL, JobContext, JobRecord, Jobs
from lorag_common.log import get_logger
from lorag_indexer.documents import Document, Library
from lorag_indexer.index import Index
from lorag_indexer.measuring import Measuring
from lorag_indexer.meta import IndexMeta
from lorag_indexer.pages import PageState, PageText
from lorag_indexer.uploads import Upload, UploadLimits, checked_tags

log = get_logger(__name__)

QUEUE = "indexing"


class Indexer:
    """The indexer's work, without the wire.

    Args:
        library: the documents.
        index: the index.
        measuring: measures its fusion.
        jobs: the indexer's jobs; their kinds are registered here.
        limits: what is taken in.
    """

    def __init__(self, library: Library, index: Index, measuring: Measuring, jobs: Jobs, limits: UploadLimits) -> None:
        self._library = library
        self._index = index
        self._measuring = measuring
        self._jobs = jobs
        self._limits = limits
        jobs.register("indexing", self._indexing, QUEUE)
        jobs.register("reindexing", self._reindexing, QUEUE)
        jobs.register("rollback", self._rolling_back, QUEUE)
        jobs.register("fusion", self._fusion, QUEUE)

    def recover(self) -> None:
        """Before the jobs are launched: remove what a crash left."""
        self._library.sweep()
        for document in self._library.all():
            if not document.indexed and not document.job_id:
                # Stored, but the crash came before its job was queued: nobody was told that it had been taken in.
                self._library.remove(document.id)
        # Tables are left alone: a reindex that was cut off goes on with its own.
        self._index.delete(sorted(self._index.document_ids() - self._known()))

    def upload(self, name: str, size: int, sha256: str, tags: Sequence[str] = (), date: float = 0.0) -> Upload:
        """Begin to take a file in.

        Raises:
            LoragError: EMBEDDER_MISSING, INVALID_FIELD, UPLOAD_TOO_LARGE.
        """
        self._index.check_embedder()
        return Upload(self._library, name, size, sha256, self._limits, tags, date)

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

    def documents(self, tag: str = "") -> list[Document]:
        """Documents, newest first, all or those with a tag."""
        return [d for d in self._library.all() if not tag or tag in d.tags]

    def with_job(self, document: Document) -> tuple[Document, JobRecord | None]:
        """A document with its job."""
        return document, self._job(document)

    def update(self, document_id: str, tags: Sequence[str], date: float | None) -> tuple[Document, JobRecord | None]:
        """Set a document's tags and, when given, its date.

        Raises:
            LoragError: DOCUMENT_NOT_FOUND, INVALID_FIELD.
        """
        changes: dict[str, Any] = {"tags": checked_tags(tags)} | ({} if date is None else {"date": date})
        return self.with_job(self._library.update(document_id, **changes))

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

    def pages(self, document_id: str, offset: int = 0, limit: int | None = None) -> Iterator[PageText]:
        """Extracted pages of a document, in order.

        Raises:
            LoragError: DOCUMENT_NOT_FOUND.
        """
        self._library.get(document_id)
        return self._library.folder(document_id).pages(offset, limit)

    def start_reindex(self, embedder: str, questions: list[dict[str, Any]], request_id: str) -> JobRecord:
        """Queue a new index over all documents.

        Raises:
            LoragError: EMBEDDER_MISSING, MODEL_NOT_FOUND, MODEL_SERVER_UNAVAILABLE, REQUEST_ID_REUSED, INVALID_FIELD.
        """
        self._check_questions(questions)
        self._index.plan("", embedder)
        return self._jobs.start("reindexing", {"embedder": embedder, "questions": questions}, request_id)

    def start_rollback(self, request_id: str) -> JobRecord:
        """Queue the return to the index that was kept.

        Raises:
            LoragError: NO_PREVIOUS_INDEX, EMBEDDER_CHANGED, MODEL_NOT_FOUND, MODEL_SERVER_UNAVAILABLE, REQUEST_ID_REUSED.
        """
        previous = self._index.previous
        if previous is None:
            raise LoragError(Reason.NO_PREVIOUS_INDEX, "No index is kept to return to.")
        self._index.check(previous)
        return self._jobs.start("rollback", {}, request_id)

    def start_fusion(self, questions: list[dict[str, Any]], generate: bool, request_id: str) -> JobRecord:
        """Queue a measurement of the fusion.

        Raises:
            LoragError: INDEX_EMPTY, INVALID_FIELD, DOCUMENT_NOT_FOUND, REQUEST_ID_REUSED.
        """
        if self._index.meta is None or not self._library.searchable():
            raise LoragError(Reason.INDEX_EMPTY, "Nothing is indexed yet.")
        self._check_questions(questions)
        return self._jobs.start("fusion", {"questions": questions, "generate": generate}, request_id)

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
                self._note_quality(document_id)
        context.step("measure", self._measure_if_due, context)

    def _index_document(self, context: JobContext, document_id: str) -> None:
        if not self._library.has(document_id):
            raise LoragError(Reason.DOCUMENT_NOT_FOUND, "The document was deleted.")
        chunks = self._write(context, self._index.ensure(), document_id)
        document = self._library.update(document_id, indexed=True, chunk_count=chunks)
        self._replace_older(document)

    def _measure_if_due(self, context: JobContext) -> None:
        meta = self._index.meta
        if meta is None or not self._measuring.due(meta):
            return
        try:
            self._measuring.measure(meta, [], False, self._stopper(context))
        except LoragError as error:
            if context.cancelled():
                raise
            # The document is searchable all the same; the next one measures again.
            log.warning("fusion not measured", reason=str(error.reason), error=error.message)

    def _reindexing(self, context: JobContext) -> None:
        table = f"chunks_{context.job_id.rpartition('-')[2]}"
        planned = context.step("plan", self._plan, table, context.spec["embedder"])
        meta = IndexMeta.from_dict(planned["meta"])
        try:
            for document_id in planned["documents"]:
                context.step(f"write {document_id}", self._rewrite, context, meta, document_id)
            context.step("measure", self._measure, context, meta)
            context.step("switch", self._switch, meta)
        except Exception:
            self._index.sweep(self._known())
            raise

    def _rolling_back(self, context: JobContext) -> None:
        planned = context.step("plan", self._plan_rollback)
        meta = IndexMeta.from_dict(planned["meta"])
        for document_id in planned["documents"]:
            context.step(f"write {document_id}", self._rewrite, context, meta, document_id)
        context.step("switch", self._switch, meta)

    def _fusion(self, context: JobContext) -> None:
        context.step("measure", self._measure, context, self._index.meta)

    def _plan(self, table: str, embedder: str) -> dict[str, Any]:
        self._index.sweep(self._known(), keep=table)
        documents = [d.id for d in self._library.all() if d.indexed]
        return {"meta": self._index.plan(table, embedder).as_dict(), "documents": documents}

    def _plan_rollback(self) -> dict[str, Any]:
        previous = self._index.previous
        if previous is None:
            raise LoragError(Reason.NO_PREVIOUS_INDEX, "No index is kept to return to.")
        return {"meta": previous.as_dict(), "documents": [d.id for d in self._library.all() if d.indexed]}

    def _rewrite(self, context: JobContext, meta: IndexMeta, document_id: str) -> None:
        if self._library.has(document_id):
            self._write(context, meta, document_id)

    def _measure(self, context: JobContext, meta: IndexMeta) -> None:
        context.report("measuring", 0)
        questions, generate = context.spec.get("questions", []), bool(context.spec.get("generate"))
        known = {d.id for d in self._library.all()}
        questions = [q for q in questions if q["document_id"] in known]
        self._measuring.measure(meta, questions, generate, self._stopper(context))

    def _switch(self, meta: IndexMeta) -> None:
        self._index.switch(meta, self._known)
        for document in self._library.all():
            if document.indexed:
                self._library.update(document.id, chunk_count=self._index.count(meta, document.id))

    def _write(self, context: JobContext, meta: IndexMeta, document_id: str) -> int:
        folder = self._library.folder(document_id)
        total = self._library.get(document_id).page_count
        stop = self._stopper(context)

        def wanted() -> bool:
            stop()
            return self._library.has(document_id)

        def progress(page: int) -> None:
            context.report("indexing", page, total)

        return self._index.write(meta, document_id, folder.pages(), wanted, progress)

    @staticmethod
    def _stopper(context: JobContext) -> Any:
        def stop() -> None:
            if context.cancelled():
                raise LoragError(Reason.CANCELLED, "The job was cancelled.")

        return stop

    def _note_quality(self, document_id: str) -> None:
        folder = self._library.folder(document_id)
        scores = [
            p.score if p.state is PageState.TEXT else 0.0 for p in folder.pages() if p.state is not PageState.BLANK
        ]
        quality = round(sum(scores) / len(scores), 4) if scores else 0.0
        self._library.update(document_id, pages_without_text=folder.pages_without_text(), quality=quality)

    def _check_questions(self, questions: list[dict[str, Any]]) -> None:
        for question in questions:
            if not str(question["question"]).strip() or question["page"] < 0:
                raise LoragError(Reason.INVALID_FIELD, "A question has no text, or no page.", field="questions")
            self._library.get(question["document_id"])

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
