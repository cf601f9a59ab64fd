"""The one call between services: qa -> indexer.Search."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag.indexer.v1 import indexer_pb2_grpc
from lorag_common.channel import DEADLINE_SECONDS, metadata, open_channel
from lorag_common.rpc_errors import from_rpc
from lorag_qa.search import Found


class IndexerClient:
    """A `Searcher` over gRPC."""

    def __init__(self, address: str) -> None:
        self._stub = indexer_pb2_grpc.IndexerServiceStub(open_channel(address))

    async def search(self, query: str, *, top_k: int, vector_weight: float, document_ids: Sequence[str]) -> list[Found]:
        """See `Searcher`."""
        request = pb.SearchRequest(
            query=query, top_k=top_k, vector_weight=vector_weight, document_ids=list(document_ids)
        )
        try:
            response = await self._stub.Search(request, timeout=DEADLINE_SECONDS, metadata=metadata())
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, "indexer") from error
        return [
            Found(h.document_id, h.document_name, h.page, (h.span_start, h.span_end), h.text, h.score)
            for h in response.hits
        ]
