"""IndexerService: decode, call, wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag.indexer.v1 import indexer_pb2_grpc
from lorag_common.errors import LoragError, Reason
from lorag_common.job_servicer import job_to_proto
from lorag_common.paging import page_of
from lorag_indexer import wire
from lorag_indexer.indexing import Indexer
from lorag_indexer.reading import Reading
from lorag_indexer.searching import Searcher

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class IndexerServicer(indexer_pb2_grpc.IndexerServiceServicer):
    """See the proto for what each call does."""

    def __init__(self, indexer: Indexer, searcher: Searcher, reading: Reading) -> None:
        self._indexer = indexer
        self._searcher = searcher
        self._reading = reading

    async def UploadDocument(
        self, request_iterator: AsyncIterator[pb.UploadDocumentRequest], context: Context
    ) -> pb.UploadDocumentResponse:
        first = await anext(aiter(request_iterator), None)
        if first is None or first.WhichOneof("payload") != "metadata":
            raise LoragError(Reason.INVALID_FIELD, "The first message must carry the metadata.", field="metadata")
        m = first.metadata
        date = wire.seconds(m, "date") or 0.0
        upload = await asyncio.to_thread(self._indexer.upload, m.name, m.size, m.sha256, tuple(m.tags), date)
        with upload:
            async for message in request_iterator:
                if message.WhichOneof("payload") != "chunk":
                    raise LoragError(Reason.INVALID_FIELD, "Metadata may come only once.", field="metadata")
                await asyncio.to_thread(upload.write, message.chunk)
            document, job = await asyncio.to_thread(self._indexer.accept, upload)
        return pb.UploadDocumentResponse(document=wire.document(document, job), job=job_to_proto(job))

    async def GetDocument(self, request: pb.GetDocumentRequest, context: Context) -> pb.GetDocumentResponse:
        found = await asyncio.to_thread(self._indexer.document, request.id)
        return pb.GetDocumentResponse(document=wire.document(*found))

    async def ListDocuments(self, request: pb.ListDocumentsRequest, context: Context) -> pb.ListDocumentsResponse:
        page = page_of(request.page_size, request.page_token)

        def rows() -> list[pb.Document]:
            end = page.offset + page.size + 1
            if not request.state:
                some = self._indexer.documents(request.tag)[page.offset : end]
                return [wire.document(*self._indexer.with_job(d)) for d in some]
            every = (wire.document(*self._indexer.with_job(d)) for d in self._indexer.documents(request.tag))
            return [d for d in every if d.state == request.state][page.offset : end]

        found = await asyncio.to_thread(rows)
        return pb.ListDocumentsResponse(documents=found[: page.size], next_page_token=page.next_token(len(found)))

    async def UpdateDocument(self, request: pb.UpdateDocumentRequest, context: Context) -> pb.UpdateDocumentResponse:
        date = wire.seconds(request, "date")
        found = await asyncio.to_thread(self._indexer.update, request.id, tuple(request.tags), date)
        return pb.UpdateDocumentResponse(document=wire.document(*found))

    async def DeleteDocument(self, request: pb.DeleteDocumentRequest, context: Context) -> pb.DeleteDocumentResponse:
        await asyncio.to_thread(self._indexer.delete, request.id)
        return pb.DeleteDocumentResponse()

    async def ListPages(self, request: pb.ListPagesRequest, context: Context) -> pb.ListPagesResponse:
        page = page_of(request.page_size, request.page_token)

        def rows() -> list[pb.Page]:
            pages = self._indexer.pages(request.document_id, page.offset, page.size + 1)
            return [wire.page(p) for p in pages]

        found = await asyncio.to_thread(rows)
        return pb.ListPagesResponse(pages=found[: page.size], next_page_token=page.next_token(len(found)))

    async def RenderPage(self, request: pb.RenderPageRequest, context: Context) -> pb.RenderPageResponse:
        span = (request.span_start, request.span_end)
        image, boxes = await asyncio.to_thread(
            self._reading.render, request.document_id, request.page, span, request.width
        )
        return pb.RenderPageResponse(image=image.png, width=image.width, height=image.height, boxes=wire.boxes(boxes))

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        return wire.found(await asyncio.to_thread(self._searcher.search, request.query, wire.options(request)))

    async def ExportText(self, request: pb.ExportTextRequest, context: Context) -> AsyncIterator[pb.ExportTextResponse]:
        pages = await asyncio.to_thread(self._indexer.pages, request.document_id)
        while (page := await asyncio.to_thread(next, pages, None)) is not None:
            yield pb.ExportTextResponse(page=page.page, text=page.text)

    async def ExplainTokens(self, request: pb.ExplainTokensRequest, context: Context) -> pb.ExplainTokensResponse:
        return wire.tokens(*await asyncio.to_thread(self._searcher.tokens, request.text))

    async def GetIndex(self, request: pb.GetIndexRequest, context: Context) -> pb.GetIndexResponse:
        serving, previous = await asyncio.to_thread(self._reading.indexes)
        return pb.GetIndexResponse(
            serving=wire.index(*serving) if serving else None, previous=wire.index(*previous) if previous else None
        )

    async def StartReindex(self, request: pb.StartReindexRequest, context: Context) -> pb.StartReindexResponse:
        questions = wire.questions(request.questions)
        job = await asyncio.to_thread(self._indexer.start_reindex, request.embedder, questions, request.request_id)
        return pb.StartReindexResponse(job=job_to_proto(job))

    async def StartIndexRollback(
        self, request: pb.StartIndexRollbackRequest, context: Context
    ) -> pb.StartIndexRollbackResponse:
        job = await asyncio.to_thread(self._indexer.start_rollback, request.request_id)
        return pb.StartIndexRollbackResponse(job=job_to_proto(job))

    async def StartFusionMeasurement(
        self, request: pb.StartFusionMeasurementRequest, context: Context
    ) -> pb.StartFusionMeasurementResponse:
        questions = wire.questions(request.questions)
        job = await asyncio.to_thread(self._indexer.start_fusion, questions, request.generate, request.request_id)
        return pb.StartFusionMeasurementResponse(job=job_to_proto(job))
