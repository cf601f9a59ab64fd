"""The one way between services: qa asks the indexer for passages, and the gate for the texts to make questions from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import grpc

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag.indexer.v1 import indexer_pb2_grpc
from lorag_common.channel import DEADLINE_SECONDS, metadata, open_channel
from lorag_common.rpc_errors import from_rpc
from lorag_qa.questions import PageText
from lorag_qa.search import Box, Found, Line, Retrieved

EXPORT_SECONDS = 300.0


class IndexerClient:
    """A `Searcher` over gRPC."""

    def __init__(self, address: str) -> None:
        self._stub = indexer_pb2_grpc.IndexerServiceStub(open_channel(address))

    async def search(
        self, query: str, *, top_k: int, vector_weight: float | None, document_ids: Sequence[str]
    ) -> Retrieved:
        """See `Searcher`."""
        request = pb.SearchRequest(
            query=query, top_k=top_k, vector_weight=vector_weight, document_ids=list(document_ids)
        )
        try:
            response = await self._stub.Search(request, timeout=DEADLINE_SECONDS, metadata=metadata())
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, "indexer") from error
        notices = tuple(" ".join(filter(None, (n.message, n.remedy))) for n in response.notices)
        return Retrieved(tuple(_found(hit) for hit in response.hits), notices)

    async def pages(self) -> AsyncIterator[PageText]:
        """The text of every page of every searchable document."""
        token = ""
        try:
            while True:
                request = pb.ListDocumentsRequest(page_size=200, page_token=token)
                listed = await self._stub.ListDocuments(request, timeout=DEADLINE_SECONDS, metadata=metadata())
                for document in listed.documents:
                    if document.state == pb.DOCUMENT_STATE_READY:
                        export = pb.ExportTextRequest(document_id=document.id)
                        async for page in self._stub.ExportText(export, timeout=EXPORT_SECONDS, metadata=metadata()):
                            yield PageText(document.id, page.page, page.text)
                if not (token := listed.next_page_token):
                    return
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, "indexer") from error


def _found(hit: pb.Hit) -> Found:
    lines = (Line((b.span_start, b.span_end), Box(b.left, b.top, b.right, b.bottom)) for b in hit.boxes)
    span = (hit.span_start, hit.span_end)
    return Found(hit.document_id, hit.document_name, hit.page, span, hit.text, hit.score, tuple(lines))
