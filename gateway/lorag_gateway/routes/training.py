"""Datasets, adapters, trainings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from lorag.trainer.v1 import trainer_pb2 as pb
from lorag_common.errors import LoragError, Reason
from lorag_gateway.access.caller import needs
from lorag_gateway.access.keys import Scope
from lorag_gateway.bodies.shared import IdempotencyKey, PageSize, PageToken
from lorag_gateway.bodies.training import DocumentsBody, EstimateTrainingBody, PreviewTrainingBody, TrainingBody
from lorag_gateway.document_text import dataset_messages
from lorag_gateway.problems import errors
from lorag_gateway.routes.deps import ServicesDep
from lorag_gateway.upload import OPENAPI_BODY, drain, file_messages
from lorag_gateway.wire import json_response, schema_of

router = APIRouter(tags=["training"])
ESTIMATE_SECONDS = 120.0
AdapterUri = Annotated[
    str, Path(description="Its folder, below the data folder.", examples=["outputs/lora_20260101/final_lora_model"])
]
_NEEDED = (Reason.DATASET_NOT_FOUND, Reason.BASE_MODEL_NOT_FOUND, Reason.DATASET_MALFORMED)
_START = errors(*_NEEDED, Reason.IN_USE, Reason.OUT_OF_MEMORY)


@router.post(
    "/datasets",
    openapi_extra=OPENAPI_BODY,
    response_model=schema_of(pb.UploadDatasetResponse),
    status_code=201,
    responses=errors(Reason.DISK_FULL),
)
async def upload_dataset(request: Request, services: ServicesDep) -> Response:
    """Store a file of examples (JSONL, JSON, CSV, Parquet or text). The same bytes are stored once."""
    messages = file_messages(
        request,
        lambda name: pb.UploadDatasetRequest(metadata=pb.UploadDatasetMetadata(name=name)),
        lambda data: pb.UploadDatasetRequest(chunk=data),
    )
    try:
        return json_response(await services.upload("trainer", services.trainer.UploadDataset, messages), 201)
    except LoragError:
        await drain(request)
        raise


@router.post(
    "/datasets:from-documents",
    response_model=schema_of(pb.UploadDatasetResponse),
    status_code=201,
    responses=errors(Reason.DOCUMENT_NOT_FOUND, Reason.INDEX_EMPTY, Reason.DISK_FULL),
)
async def dataset_from_documents(services: ServicesDep, body: DocumentsBody | None = None) -> Response:
    """Make a dataset of plain text from the indexed documents, an example a document; the same text is stored once."""
    given = body or DocumentsBody()
    messages = dataset_messages(services, given.document_ids, given.name)
    return json_response(await services.upload("trainer", services.trainer.UploadDataset, messages), 201)


@router.get("/datasets", response_model=schema_of(pb.ListDatasetsResponse))
async def list_datasets(services: ServicesDep, page_size: PageSize = 0, page_token: PageToken = "") -> Response:
    """Datasets, newest first."""
    request = pb.ListDatasetsRequest(page_size=page_size, page_token=page_token)
    return json_response(await services.call("trainer", services.trainer.ListDatasets, request))


@router.get(
    "/datasets/{dataset_id}",
    response_model=schema_of(pb.GetDatasetResponse),
    responses=errors(Reason.DATASET_NOT_FOUND),
)
async def get_dataset(dataset_id: str, services: ServicesDep) -> Response:
    """One dataset, with its refused lines."""
    return json_response(
        await services.call("trainer", services.trainer.GetDataset, pb.GetDatasetRequest(id=dataset_id))
    )


@router.delete("/datasets/{dataset_id}", status_code=204, responses=errors(Reason.DATASET_NOT_FOUND, Reason.IN_USE))
async def delete_dataset(dataset_id: str, services: ServicesDep) -> Response:
    """Remove a dataset; adapters trained on it stay."""
    await services.call("trainer", services.trainer.DeleteDataset, pb.DeleteDatasetRequest(id=dataset_id))
    return Response(status_code=204)


@router.get("/adapters", response_model=schema_of(pb.ListAdaptersResponse))
async def list_adapters(services: ServicesDep, page_size: PageSize = 0, page_token: PageToken = "") -> Response:
    """Finished adapters, newest first."""
    request = pb.ListAdaptersRequest(page_size=page_size, page_token=page_token)
    return json_response(await services.call("trainer", services.trainer.ListAdapters, request))


@router.get(
    "/adapters/{uri:path}", response_model=schema_of(pb.GetAdapterResponse), responses=errors(Reason.ADAPTER_NOT_FOUND)
)
async def get_adapter(uri: AdapterUri, services: ServicesDep) -> Response:
    """One adapter, with the measurements of every logged step."""
    return json_response(await services.call("trainer", services.trainer.GetAdapter, pb.GetAdapterRequest(uri=uri)))


@router.delete("/adapters/{uri:path}", status_code=204, responses=errors(Reason.ADAPTER_NOT_FOUND, Reason.IN_USE))
async def delete_adapter(uri: AdapterUri, services: ServicesDep) -> Response:
    """Remove an adapter's folder; releases made of it stay."""
    await services.call("trainer", services.trainer.DeleteAdapter, pb.DeleteAdapterRequest(uri=uri))
    return Response(status_code=204)


@router.post("/trainings:preview", response_model=schema_of(pb.PreviewTrainingResponse), responses=errors(*_NEEDED))
@needs(Scope.READ)
async def preview_training(body: PreviewTrainingBody, services: ServicesDep) -> Response:
    """The first examples token by token with the loss mask, and lengths over the whole dataset; starts nothing."""
    request = pb.PreviewTrainingRequest(
        base_model=body.base_model,
        dataset_id=body.dataset_id,
        settings=body.settings.to_proto(),
        example_count=body.example_count,
    )
    return json_response(await services.call("trainer", services.trainer.PreviewTraining, request, ESTIMATE_SECONDS))


@router.post("/trainings:estimate", response_model=schema_of(pb.EstimateTrainingResponse), responses=_START)
@needs(Scope.READ)
async def estimate_training(body: EstimateTrainingBody, services: ServicesDep) -> Response:
    """Say what a training would need, and whether it fits this machine; starts nothing."""
    request = pb.EstimateTrainingRequest(
        base_model=body.base_model,
        dataset_id=body.dataset_id,
        settings=body.settings.to_proto(),
        gpu_bytes=body.gpu_bytes,
    )
    return json_response(await services.call("trainer", services.trainer.EstimateTraining, request, ESTIMATE_SECONDS))


@router.post("/trainings", response_model=schema_of(pb.StartTrainingResponse), status_code=202, responses=_START)
async def start_training(body: TrainingBody, services: ServicesDep, key: IdempotencyKey = "") -> Response:
    """Queue a fine-tuning and return its job."""
    request = pb.StartTrainingRequest(
        base_model=body.base_model, dataset_id=body.dataset_id, settings=body.settings.to_proto(), request_id=key
    )
    return json_response(await services.call("trainer", services.trainer.StartTraining, request), 202)
