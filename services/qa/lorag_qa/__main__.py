"""`python -m lorag_qa`: settings -> wiring -> serve."""

from __future__ import annotations

import asyncio

import grpc

from lorag.qa.v1 import qa_pb2, qa_pb2_grpc
from lorag_common import metrics
from lorag_common.data_folder import open_for_service
from lorag_common.gpu import gpu_holder
from lorag_common.jobs import Jobs
from lorag_common.serve import serve
from lorag_common.starting import exits_with_cause
from lorag_qa.activation import Activation
from lorag_qa.answering import Answering
from lorag_qa.evaluations import Evaluations
from lorag_qa.indexer_client import IndexerClient
from lorag_qa.servicer import QaServicer
from lorag_qa.settings import QaSettings
from lorag_qa.turns import Turns


@exits_with_cause()
def main() -> None:
    """Serve until SIGTERM."""
    settings = QaSettings()
    open_for_service(settings.data)
    activation = Activation(settings.data, settings.ollama_url)
    activation.config()

    jobs = Jobs("qa", settings.data)
    evaluations = Evaluations(settings.data, jobs, settings.ollama_url, settings.indexer_address)

    def add_services(server: grpc.aio.Server) -> list[str]:
        turns = Turns(settings.answers_at_once, settings.queue_length)
        metrics.WAITING.set_function(lambda: turns.waiting)
        indexer = IndexerClient(settings.indexer_address)
        answering = Answering(settings.data, settings.ollama_url, indexer, turns, gpu_holder)
        qa_pb2_grpc.add_QaServiceServicer_to_server(QaServicer(answering, activation, evaluations), server)
        return [qa_pb2.DESCRIPTOR.services_by_name["QaService"].full_name]

    asyncio.run(serve(settings, service="qa", add_services=add_services, jobs=jobs))


if __name__ == "__main__":
    main()
