"""`python -m lorag_indexer`: settings -> wiring -> serve."""

from __future__ import annotations

import asyncio

import grpc

from lorag.indexer.v1 import indexer_pb2, indexer_pb2_grpc
from lorag_common.data_folder import open_for_service
from lorag_common.jobs import Jobs
from lorag_common.serve import serve
from lorag_common.starting import exits_with_cause
from lorag_indexer.documents import Library
from lorag_indexer.embedder import Embedder
from lorag_indexer.index import Index
from lorag_indexer.indexing import QUEUE, Indexer
from lorag_indexer.lancedb_store import LanceDatabase
from lorag_indexer.measuring import Measuring
from lorag_indexer.reading import Reading
from lorag_indexer.reranker import CrossEncoderReranker
from lorag_indexer.searching import Searcher
from lorag_indexer.servicer import IndexerServicer
from lorag_indexer.settings import IndexerSettings
from lorag_indexer.store import ChunkDatabase


@exits_with_cause()
def main() -> None:
    """Run the indexer until SIGTERM."""
    settings = IndexerSettings()
    open_for_service(settings.data)
    folder = settings.data / "index"
    library = Library(settings.data)
    embedder = Embedder(settings.data, settings.embedder_settings, settings.ollama_url)
    index = Index(folder, _database(settings), embedder, settings.chunking)
    measuring = Measuring(settings.data, library, index)
    # One at a time: two jobs that embed would only share one model server, and the index has one writer.
    jobs = Jobs("indexer", settings.data, workers={QUEUE: 1})
    limits = settings.upload_limits
    indexer = Indexer(library, index, measuring, jobs, limits)
    indexer.recover()
    reranker = CrossEncoderReranker(settings.reranker) if settings.reranker else None
    searcher = Searcher(settings.data, library, index, reranker)
    reading = Reading(library, index, measuring, limits.check)

    def add(server: grpc.aio.Server) -> list[str]:
        servicer = IndexerServicer(indexer, searcher, reading)
        indexer_pb2_grpc.add_IndexerServiceServicer_to_server(servicer, server)
        return [indexer_pb2.DESCRIPTOR.services_by_name["IndexerService"].full_name]

    asyncio.run(serve(settings, service="indexer", add_services=add, jobs=jobs))


def _database(settings: IndexerSettings) -> ChunkDatabase:
    if settings.weaviate_url:
        from lorag_indexer.weaviate_store import WeaviateDatabase

        return WeaviateDatabase(
            settings.weaviate_url, settings.weaviate_api_key.get_secret_value(), settings.weaviate_grpc_port
        )
    return LanceDatabase(settings.data / "index" / "lancedb")


if __name__ == "__main__":
    main()
