"""`python -m lorag_trainer`: settings -> wiring -> serve."""

from __future__ import annotations

import asyncio

import grpc

from lorag.trainer.v1 import trainer_pb2, trainer_pb2_grpc
from lorag_common.data_folder import open_for_service
from lorag_common.jobs import Jobs
from lorag_common.serve import serve
from lorag_common.starting import exits_with_cause
from lorag_trainer.adapters import AdapterShelf
from lorag_trainer.datasets import DatasetStore
from lorag_trainer.plan import train
from lorag_trainer.servicer import TrainerServicer
from lorag_trainer.settings import TrainerSettings


@exits_with_cause()
def main() -> None:
    """Run the trainer until SIGTERM."""
    settings = TrainerSettings()
    open_for_service(settings.data)
    datasets = DatasetStore(settings.data, settings.max_dataset_bytes)
    adapters = AdapterShelf(settings.data)
    datasets.sweep()
    adapters.sweep()
    # One at a time: a training takes all the memory of a GPU.
    jobs = Jobs("trainer", settings.data, workers={"training": 1})
    jobs.register("training", train, queue="training")
    servicer = TrainerServicer(settings, datasets, adapters, jobs)

    def add(server: grpc.aio.Server) -> list[str]:
        trainer_pb2_grpc.add_TrainerServiceServicer_to_server(servicer, server)
        return [trainer_pb2.DESCRIPTOR.services_by_name["TrainerService"].full_name]

    asyncio.run(serve(settings, service="trainer", add_services=add, jobs=jobs))


if __name__ == "__main__":
    main()
