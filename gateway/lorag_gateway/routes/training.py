"""Datasets, adapters, trainings."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from lorag.trainer.v1 import trainer_pb2 as pb
from lorag_common.errors import LoragError
from lorag_gateway.bodies import IdempotencyKey, PageSize, PageToken, TrainingBody
from lorag_gateway.routes.deps import ServicesDep
from lorag_gateway.upload import OPENAPI_BODY, drain, file_messages
from lorag_gateway.wire import json_response, schema_of

router = APIRouter(tags=["training"])


@router.post(
    "/datasets", openapi_extra=OPENAPI_BODY, response_model=schema_of(pb.UploadDatasetResponse), status_code=201
)
async def upload_dataset(request: Request, services: ServicesDep) -> Response:
    """Store a JSONL file of examples (chat, alpaca or prompt-completion form). The same bytes are stored once."""
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


@router.get("/datasets", response_model=schema_of(pb.ListDatasetsResponse))
async def list_datasets(services: ServicesDep, page_size: PageSize = 0, page_token: PageToken = "") -> Response:
    """Datasets, newest first."""
    request = pb.ListDatasetsRequest(page_size=page_size, page_token=page_token)
    return json_response(await services.call("trainer", services.trainer.ListDatasets, request))


@router.get("/adapters", response_model=schema_of(pb.ListAdaptersResponse))
async def list_adapters(services: ServicesDep, page_size: PageSize = 0, page_token: PageToken = "") -> Response:
    """Finished adapters, newest first."""
    request = pb.ListAdaptersRequest(page_size=page_size, page_token=page_token)
    return json_response(await services.call("trainer", services.trainer.ListAdapters, request))


@router.post("/trainings:estimate", response_model=schema_of(pb.EstimateTrainingResponse))
async def estimate_training(body: TrainingBody, services: ServicesDep) -> Response:
    """Say what a training would need, and whether it fits this machine; starts nothing."""
    request = pb.EstimateTrainingRequest(
        base_model=body.base_model, dataset_id=body.dataset_id, settings=body.settings.to_proto()
    )
    return json_response(await services.call("trainer", services.trainer.EstimateTraining, request))


@router.post("/trainings", response_model=schema_of(pb.StartTrainingResponse), status_code=202)
async def start_training(body: TrainingBody, services: ServicesDep, key: IdempotencyKey = "") -> Response:
    """Queue a fine-tuning and return its job."""
    request = pb.StartTrainingRequest(
        base_model=body.base_model, dataset_id=body.dataset_id, settings=body.settings.to_proto(), request_id=key
    )
    return json_response(await services.call("trainer", services.trainer.StartTraining, request), 202)
