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
from lorag_common.jobs import FINAL, Jobs
from lorag_common.paging import page_of
from lorag_common.resolve import resolve_base_model
from lorag_trainer.adapters import AdapterInfo, AdapterShelf
from lorag_trainer.datasets import DatasetInfo, DatasetStore
from lorag_trainer.files import Refused
from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.plan import Estimator, check_training
from lorag_trainer.preview import Preview, preview
from lorag_trainer.settings import TrainerSettings

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class TrainerServicer(trainer_pb2_grpc.TrainerServiceServicer):
    """See the proto for what each call does."""

    def __init__(self, settings: TrainerSettings, datasets: DatasetStore, adapters: AdapterShelf, jobs: Jobs) -> None:
        self._settings = settings
        self._datasets = datasets
        self._adapters = adapters
        self._jobs = jobs
        self._estimator = Estimator(settings, datasets, adapters)

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

    async def GetDataset(self, request: pb.GetDatasetRequest, context: Context) -> pb.GetDatasetResponse:
        info = await asyncio.to_thread(self._datasets.get, request.id)
        refused = await asyncio.to_thread(self._datasets.refused, request.id)
        return pb.GetDatasetResponse(dataset=_dataset(info, refused))

    async def DeleteDataset(self, request: pb.DeleteDatasetRequest, context: Context) -> pb.DeleteDatasetResponse:
        for job in await asyncio.to_thread(self._jobs.list, "training", 1000):
            if job.state not in FINAL and job.spec["dataset_id"] == request.id:
                raise LoragError(Reason.IN_USE, f"The training {job.id} needs this dataset.", field="id")
        await asyncio.to_thread(self._datasets.delete, request.id)
        return pb.DeleteDatasetResponse()

    async def PreviewTraining(self, request: pb.PreviewTrainingRequest, context: Context) -> pb.PreviewTrainingResponse:
        settings = _training_settings(request.settings)
        self._datasets.get(request.dataset_id)
        base = await asyncio.to_thread(
            resolve_base_model, request.base_model, self._settings, weights=False, download=True
        )
        found = await asyncio.to_thread(
            preview, self._settings.data, base, request.dataset_id, settings, request.example_count
        )
        return _preview(found)

    async def EstimateTraining(
        self, request: pb.EstimateTrainingRequest, context: Context
    ) -> pb.EstimateTrainingResponse:
        found = await asyncio.to_thread(
            self._estimator.estimate,
            request.base_model,
            request.dataset_id,
            _training_settings(request.settings),
            tuple(request.gpu_bytes),
        )
        return pb.EstimateTrainingResponse(**vars(found))

    async def StartTraining(self, request: pb.StartTrainingRequest, context: Context) -> pb.StartTrainingResponse:
        settings = _training_settings(request.settings)
        self._datasets.require_readable(request.dataset_id, settings.skip_refused)
        await asyncio.to_thread(check_training, request.base_model, self._settings)
        spec = {
            "base_model": request.base_model,
            "dataset_id": request.dataset_id,
            "settings": settings.model_dump(),
            "default_url": self._settings.ollama_url,
        }
        record = await asyncio.to_thread(self._jobs.start, "training", spec, request.request_id)
        return pb.StartTrainingResponse(job=job_to_proto(record))

    async def ListAdapters(self, request: pb.ListAdaptersRequest, context: Context) -> pb.ListAdaptersResponse:
        page = page_of(request.page_size, request.page_token)
        rows = (await asyncio.to_thread(self._adapters.list))[page.offset : page.offset + page.size + 1]
        return pb.ListAdaptersResponse(
            adapters=[_adapter(a) for a in rows[: page.size]], next_page_token=page.next_token(len(rows))
        )

    async def GetAdapter(self, request: pb.GetAdapterRequest, context: Context) -> pb.GetAdapterResponse:
        found = await asyncio.to_thread(self._adapters.get, request.uri)
        rows = await asyncio.to_thread(self._adapters.steps, request.uri)
        steps = [pb.TrainingStep(step=row.pop("step"), metrics=row) for row in rows]
        return pb.GetAdapterResponse(adapter=_adapter(found), steps=steps)

    async def DeleteAdapter(self, request: pb.DeleteAdapterRequest, context: Context) -> pb.DeleteAdapterResponse:
        await asyncio.to_thread(self._adapters.delete, request.uri)
        return pb.DeleteAdapterResponse()


def _training_settings(message: pb.TrainingSettings) -> TrainingSettings:
    # Every field is optional, so this lists the fields that were set, a 0 or false among them.
    return TrainingSettings.parse({field.name: value for field, value in message.ListFields()})


def _dataset(info: DatasetInfo, refused: list[Refused] | None = None) -> pb.Dataset:
    named = [Refused(*row) for row in info.refused] if refused is None else refused
    return pb.Dataset(
        id=info.id,
        name=info.name,
        size=info.size,
        example_count=info.example_count,
        format=info.format,
        create_time=timestamp(info.create_time),
        file_type=info.file_type,
        refused_count=info.refused_count,
        refused=[pb.RefusedLine(line=r.line, problem=r.problem) for r in named],
        duplicate_count=info.duplicate_count,
    )


def _adapter(info: AdapterInfo) -> pb.Adapter:
    settings = {k: v for k, v in info.settings.items() if v is not None}
    return pb.Adapter(
        uri=info.uri,
        base_model=info.base_model,
        dataset_id=info.dataset_id,
        create_time=timestamp(info.create_time),
        settings=pb.TrainingSettings(**settings),
        steps=info.steps,
        final_loss=info.final_loss,
        heldout_loss=info.heldout_loss,
        dataset_name=info.dataset_name,
        size=info.size,
        duration_seconds=info.duration_seconds,
        notes=info.notes,
    )


def _preview(found: Preview) -> pb.PreviewTrainingResponse:
    examples = [
        pb.PreviewedExample(
            line=e["line"], tokens=[pb.PreviewedToken(id=i, text=text, learned=yes) for i, text, yes in e["tokens"]]
        )
        for e in found.examples
    ]
    lengths = [pb.LengthBucket(**dict(zip(("from", "to", "count"), row, strict=True))) for row in found.lengths]
    return pb.PreviewTrainingResponse(**{**vars(found), "examples": examples, "lengths": lengths})
