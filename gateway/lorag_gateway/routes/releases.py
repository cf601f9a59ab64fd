"""Conversions, releases and their evaluations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from lorag.converter.v1 import converter_pb2 as pb
from lorag.qa.v1 import qa_pb2
from lorag_common.errors import Reason
from lorag_gateway.access.caller import needs
from lorag_gateway.access.keys import Scope
from lorag_gateway.bodies.releases import (
    ActivationBody,
    ConversionBody,
    EstimateConversionBody,
    EvaluationBody,
    PublicationBody,
)
from lorag_gateway.bodies.shared import IdempotencyKey, PageSize, PageToken
from lorag_gateway.problems import errors
from lorag_gateway.routes.deps import ServicesDep
from lorag_gateway.wire import json_response, schema_of

router = APIRouter(tags=["releases"])
# Activating copies a model on the model server and may load it.
ACTIVATE_SECONDS = 120.0
_CONVERT = errors(
    Reason.ADAPTER_NOT_FOUND, Reason.BASE_MODEL_NOT_FOUND, Reason.BASE_MODEL_QUANTIZED, Reason.QUANTIZATION_UNKNOWN
)
_ACTIVATE = errors(Reason.RELEASE_NOT_FOUND, Reason.MODEL_NOT_FOUND, Reason.NO_PREVIOUS_RELEASE)


@router.post("/conversions:estimate", response_model=schema_of(pb.EstimateConversionResponse), responses=_CONVERT)
@needs(Scope.READ)
async def estimate_conversion(body: EstimateConversionBody, services: ServicesDep) -> Response:
    """Say what a conversion would need, and whether it fits this machine; starts nothing."""
    request = pb.EstimateConversionRequest(
        source=body.to_source(),
        quantization=body.quantization,
        gpu_memory_bytes=body.gpu_memory_bytes,
        context_tokens=body.context_tokens,
        parallel_requests=body.parallel_requests,
    )
    return json_response(await services.call("converter", services.converter.EstimateConversion, request))


@router.post("/conversions", response_model=schema_of(pb.StartConversionResponse), status_code=202, responses=_CONVERT)
async def start_conversion(body: ConversionBody, services: ServicesDep, key: IdempotencyKey = "") -> Response:
    """Queue base + adapter -> GGUF and return its job."""
    request = pb.StartConversionRequest(
        source=body.to_source(), quantization=body.quantization, model=body.model, request_id=key
    )
    return json_response(await services.call("converter", services.converter.StartConversion, request), 202)


@router.get("/releases", response_model=schema_of(pb.ListReleasesResponse))
async def list_releases(
    services: ServicesDep,
    page_size: PageSize = 0,
    page_token: PageToken = "",
    model: Annotated[str, Query(description="Only releases of this model.")] = "",
) -> Response:
    """Releases, newest first."""
    request = pb.ListReleasesRequest(page_size=page_size, page_token=page_token, model=model)
    return json_response(await services.call("converter", services.converter.ListReleases, request))


@router.post("/releases:rollback", response_model=schema_of(qa_pb2.RollbackReleaseResponse), responses=_ACTIVATE)
async def rollback_release(services: ServicesDep) -> Response:
    """Make the release before the active one active again."""
    request = qa_pb2.RollbackReleaseRequest()
    return json_response(await services.call("qa", services.qa.RollbackRelease, request, ACTIVATE_SECONDS))


@router.get(
    "/releases/{release_id}",
    response_model=schema_of(pb.GetReleaseResponse),
    responses=errors(Reason.RELEASE_NOT_FOUND),
)
async def get_release(release_id: str, services: ServicesDep) -> Response:
    """One release, with its birth certificate."""
    request = pb.GetReleaseRequest(id=release_id)
    return json_response(await services.call("converter", services.converter.GetRelease, request))


@router.post(
    "/releases/{release_id}:publish",
    response_model=schema_of(pb.StartPublicationResponse),
    status_code=202,
    responses=errors(Reason.RELEASE_NOT_FOUND, Reason.REQUEST_ID_REUSED),
)
async def publish_release(
    release_id: str, services: ServicesDep, body: PublicationBody | None = None, key: IdempotencyKey = ""
) -> Response:
    """Queue the import of a release into the model server and return its job."""
    given = body or PublicationBody()
    request = pb.StartPublicationRequest(
        release_id=release_id, request_id=key, system=given.system, license=given.license
    )
    return json_response(await services.call("converter", services.converter.StartPublication, request), 202)


@router.post(
    "/releases/{release_id}:activate",
    response_model=schema_of(qa_pb2.ActivateReleaseResponse),
    responses=_ACTIVATE,
)
async def activate_release(release_id: str, services: ServicesDep, body: ActivationBody | None = None) -> Response:
    """Make a published release the one that answers; one that was measured to be worse is refused unless forced."""
    request = qa_pb2.ActivateReleaseRequest(release_id=release_id, force=bool(body and body.force))
    return json_response(await services.call("qa", services.qa.ActivateRelease, request, ACTIVATE_SECONDS))


@router.post(
    "/releases/{release_id}:evaluate",
    response_model=schema_of(qa_pb2.StartEvaluationResponse),
    status_code=202,
    responses=errors(Reason.RELEASE_NOT_FOUND, Reason.INDEX_EMPTY),
)
async def evaluate_release(
    release_id: str, services: ServicesDep, body: EvaluationBody | None = None, key: IdempotencyKey = ""
) -> Response:
    """Queue the same questions to a release and to the active one, and return the job."""
    given = body or EvaluationBody()
    request = qa_pb2.StartEvaluationRequest(
        release_id=release_id,
        baseline=given.baseline,
        questions=[qa_pb2.TestQuestion(**q.model_dump()) for q in given.questions],
        question_count=given.question_count,
        request_id=key,
    )
    return json_response(await services.call("qa", services.qa.StartEvaluation, request), 202)


@router.get(
    "/releases/{release_id}/evaluation",
    response_model=schema_of(qa_pb2.GetEvaluationResponse),
    responses=errors(Reason.RELEASE_NOT_FOUND),
)
async def get_evaluation(release_id: str, services: ServicesDep) -> Response:
    """The last evaluation of a release."""
    request = qa_pb2.GetEvaluationRequest(release_id=release_id)
    return json_response(await services.call("qa", services.qa.GetEvaluation, request))
