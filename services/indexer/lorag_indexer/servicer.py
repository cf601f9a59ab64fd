"""IndexerService: decode, call, encode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag.indexer.v1 import indexer_pb2_grpc
from lorag.jobs.v1 import jobs_pb2
from lorag_common.errors import LoragError, Reason
from lorag_common.job_servicer import job_to_proto, timestamp
from lorag_common.jobs import JobRecord
from lorag_common.paging import page_of
from lorag_indexer.documents import Document
from lorag_indexer.fusion import Hit
from lorag_indexer.indexing import Indexer

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class IndexerServicer(indexer_pb2_grpc.IndexerServiceServicer):
    """See the proto for what each call does."""

    def __init__(self, indexer: Indexer) -> None:
        self._indexer = indexer

    async def UploadDocument(
        self, request_iterator: AsyncIterator[pb.UploadDocumentRequest], context: Context
    ) -> pb.UploadDocumentResponse:
        first = await anext(aiter(request_iterator), None)
        if first is None or first.WhichOneof("payload") != "metadata":
            raise LoragError(Reason.INVALID_FIELD, "The first message must carry the metadata.", field="metadata")
        m = first.metadata
        with await asyncio.to_thread(self._indexer.upload, m.name, m.size, m.sha256) as upload:
            async for message in request_iterator:
                if message.WhichOneof("payload") != "chunk":
                    raise LoragError(Reason.INVALID_FIELD, "Metadata may come only once.", field="metadata")
                await asyncio.to_thread(upload.write, message.chunk)
            document, job = await asyncio.to_thread(self._indexer.accept, upload)
        return pb.UploadDocumentResponse(document=_document(document, job), job=job_to_proto(job))

    async def GetDocument(self, request: pb.GetDocumentRequest, context: Context) -> pb.GetDocumentResponse:
        found = await asyncio.to_thread(self._indexer.document, request.id)
        return pb.GetDocumentResponse(document=_document(*found))

    async def ListDocuments(self, request: pb.ListDocumentsRequest, context: Context) -> pb.ListDocumentsResponse:
        page = page_of(request.page_size, request.page_token)
        rows = await asyncio.to_thread(self._indexer.documents, page.offset, page.size + 1)
        return pb.ListDocumentsResponse(
            documents=[_document(*row) for row in rows[: page.size]], next_page_token=page.next_token(len(rows))
        )

    async def DeleteDocument(self, request: pb.DeleteDocumentRequest, context: Context) -> pb.DeleteDocumentResponse:
        await asyncio.to_thread(self._indexer.delete, request.id)
        return pb.DeleteDocumentResponse()

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        weight = request.vector_weight if request.HasField("vector_weight") else None
        hits = await asyncio.to_thread(
            self._indexer.search, request.query, request.top_k, tuple(request.document_ids), weight
        )
        return pb.SearchResponse(hits=[_hit(hit, name) for hit, name in hits])

    async def ExportText(self, request: pb.ExportTextRequest, context: Context) -> AsyncIterator[pb.ExportTextResponse]:
        pages = await asyncio.to_thread(self._indexer.pages, request.document_id)
        while (page := await asyncio.to_thread(next, pages, None)) is not None:
            yield pb.ExportTextResponse(page=page.page, text=page.text)

    async def StartReindex(self, request: pb.StartReindexRequest, context: Context) -> pb.StartReindexResponse:
        job = await asyncio.to_thread(self._indexer.start_reindex, request.embedder, request.request_id)
        return pb.StartReindexResponse(job=job_to_proto(job))


def _document(document: Document, job: JobRecord | None) -> pb.Document:
    state, error = _state(document, job)
    return pb.Document(
        id=document.id,
        name=document.name,
        size=document.size,
        state=state,
        page_count=document.page_count,
        chunk_count=document.chunk_count,
        pages_without_text=document.pages_without_text,
        error=error,
        job_id=document.job_id,
        create_time=timestamp(document.create_time),
    )


def _state(document: Document, job: JobRecord | None) -> tuple[pb.DocumentState, jobs_pb2.JobError | None]:
    if document.indexed:
        return pb.DOCUMENT_STATE_READY, None
    if job is not None and job.state == "FAILED":
        return pb.DOCUMENT_STATE_FAILED, job_to_proto(job).error
    if job is not None and job.state == "CANCELLED":
        cancelled = LoragError(Reason.CANCELLED, "Its indexing was cancelled.", remedy="Upload it again.")
        return pb.DOCUMENT_STATE_FAILED, jobs_pb2.JobError(**cancelled.as_dict())
    return pb.DOCUMENT_STATE_INDEXING, None


def _hit(hit: Hit, name: str) -> pb.Hit:
    return pb.Hit(
        chunk_id=hit.chunk.id,
        document_id=hit.chunk.document_id,
        document_name=name,
        page=hit.chunk.page,
        span_start=hit.chunk.start,
        span_end=hit.chunk.end,
        text=hit.chunk.text,
        score=hit.score,
        vector_score=hit.vector_score,
        keyword_score=hit.keyword_score,
    )
