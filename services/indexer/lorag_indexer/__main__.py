"""`python -m lorag_indexer`: settings -> wiring -> serve."""

from __future__ import annotations

import asyncio
import sys

import grpc

from lorag.indexer.v1 import indexer_pb2, indexer_pb2_grpc
from lorag_common.jobs import Jobs
from lorag_common.serve import serve
from lorag_indexer.documents import Library
from lorag_indexer.embedder import Embedder
from lorag_indexer.index import Index
from lorag_indexer.indexing import QUEUE, Indexer
from lorag_indexer.lancedb_store import LanceDatabase
from lorag_indexer.servicer import IndexerServicer
from lorag_indexer.settings import IndexerSettings


def main() -> None:
    """Run the indexer until SIGTERM."""
    settings = IndexerSettings()
    folder = settings.data / "index"
    embedder = Embedder(settings.data, settings.embedder, settings.ollama_url)
    index = Index(folder, LanceDatabase(folder / "lancedb"), embedder, settings.chunking)
    # One at a time: two jobs that embed would only share one model server, and the index has one writer.
    jobs = Jobs("indexer", settings.data, workers={QUEUE: 1})
    indexer = Indexer(settings.data, Library(settings.data), index, jobs, settings.max_document_bytes)
    indexer.recover()

    def add(server: grpc.aio.Server) -> list[str]:
        indexer_pb2_grpc.add_IndexerServiceServicer_to_server(IndexerServicer(indexer), server)
        return [indexer_pb2.DESCRIPTOR.services_by_name["IndexerService"].full_name]

    try:
        asyncio.run(serve(settings, service="indexer", add_services=add, jobs=jobs))
    except OSError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
