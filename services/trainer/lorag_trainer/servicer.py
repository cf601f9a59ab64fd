"""TrainerService: decode, call, encode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc

from lorag.trainer.v1 import trainer_pb2 as pb
from lorag.trainer.v1 import trainer_pb2_grpc
from lorag_common.errors import LoragError, Reason
from lorag_common.job_servicer import job_to_proto, timestamp
from lorag_common.jobs import Jobs
from lorag_common.paging import page_of
from lorag_common.resolve import resolve_base_model
from lorag_trainer.adapters import AdapterShelf
from lorag_trainer.datasets import DatasetInfo, DatasetStore
from lorag_trainer.estimate import estimate, read_config
from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.machine import free_disk, this_machine
from lorag_trainer.plan import check_training
from lorag_trainer.settings import TrainerSettings

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class TrainerServicer(trainer_pb2_grpc.TrainerServiceServicer):
    """See the proto for what each call does."""

    def __init__(self, settings: TrainerSettings, datasets: DatasetStore, adapters: AdapterShelf, jobs: Jobs) -> None:
        self._settings = settings
        self._datasets = datasets
        self._adapters = adapters
        self._jobs = jobs

    async def UploadDataset(
        self, request_iterator: AsyncIterator[pb.UploadDatasetRequest], context: Context
    ) -> pb.UploadDatasetResponse:
        first = await anext(request_iterator, None)
        if first is None or first.WhichOneof("payload") != "metadata":
            raise LoragError(Reason.INVALID_FIELD, "The first message must carry the metadata.", field="metadata")
        m = first.metadata
        with await asyncio.to_thread(self._datasets.upload, m.name, m.size, m.sha256) as upload:
            async for message in request_iterator:
                if message.WhichOneof("payload") != "chunk":
                    raise LoragError(Reason.INVALID_FIELD, "Metadata may come only once.", field="metadata")
                await asyncio.to_thread(upload.write, message.chunk)
            info = await asyncio.to_thread(upload.commit)
        return pb.UploadDatasetResponse(dataset=_dataset(info))

    async def ListDatasets(self, request: pb.ListDatasetsRequest, context: Context) -> pb.ListDatasetsResponse:
        page = page_of(request.page_size, request.page_token)
        rows = (await asyncio.to_thread(self._datasets.list))[page.offset : page.offset + page.size + 1]
        return pb.ListDatasetsResponse(
            datasets=[_dataset(d) for d in rows[: page.size]], next_page_token=page.next_token(len(rows))
        )

    async def EstimateTraining(
        self, request: pb.EstimateTrainingRequest, context: Context
    ) -> pb.EstimateTrainingResponse:
        settings = _training_settings(request.settings)
        dataset = self._datasets.get(request.dataset_id)
        base = await asyncio.to_thread(resolve_base_model, request.base_model, self._settings)
        machine = await asyncio.to_thread(this_machine)
        found = estimate(read_config(base), dataset, settings, machine, free_disk(self._settings.data))
        return pb.EstimateTrainingResponse(
            device=found.device,
            vram_bytes=found.vram_bytes,
            ram_bytes=found.ram_bytes,
            disk_bytes=found.disk_bytes,
            steps=found.steps,
            fits=found.fits,
            advice=found.advice,
        )

    async def StartTraining(self, request: pb.StartTrainingRequest, context: Context) -> pb.StartTrainingResponse:
        settings = _training_settings(request.settings)
        self._datasets.get(request.dataset_id)
        await asyncio.to_thread(check_training, request.base_model, self._settings)
        spec = {
            "base_model": request.base_model,
            "dataset_id": request.dataset_id,
            "settings": settings.model_dump(),
        }
        record = await asyncio.to_thread(self._jobs.start, "training", spec, request.request_id)
        return pb.StartTrainingResponse(job=job_to_proto(record))

    async def ListAdapters(self, request: pb.ListAdaptersRequest, context: Context) -> pb.ListAdaptersResponse:
        page = page_of(request.page_size, request.page_token)
        rows = (await asyncio.to_thread(self._adapters.list))[page.offset : page.offset + page.size + 1]
        adapters = [
            pb.Adapter(
                uri=a.uri, base_model=a.base_model, dataset_id=a.dataset_id, create_time=timestamp(a.create_time)
            )
            for a in rows[: page.size]
        ]
        return pb.ListAdaptersResponse(adapters=adapters, next_page_token=page.next_token(len(rows)))


def _training_settings(message: pb.TrainingSettings) -> TrainingSettings:
    # Every field is optional, so this lists the fields that were set, a 0 or false among them.
    return TrainingSettings.parse({field.name: value for field, value in message.ListFields()})


def _dataset(info: DatasetInfo) -> pb.Dataset:
    return pb.Dataset(
        id=info.id,
        name=info.name,
        size=info.size,
        example_count=info.example_count,
        format=info.format,
        create_time=timestamp(info.create_time),
    )
