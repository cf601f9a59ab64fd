"""Search, and the index that it works on."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag_common.errors import Reason
from lorag_gateway.access.caller import needs
from lorag_gateway.access.keys import Scope
from lorag_gateway.bodies.documents import FusionBody, ReindexBody, SearchBody, TokensBody
from lorag_gateway.bodies.shared import IdempotencyKey
from lorag_gateway.problems import errors
from lorag_gateway.routes.deps import ServicesDep
from lorag_gateway.wire import json_response, schema_of

router = APIRouter(tags=["search"])
_JOB = errors(Reason.MODEL_NOT_FOUND, Reason.DOCUMENT_NOT_FOUND, Reason.INDEX_EMPTY, Reason.EMBEDDER_CHANGED)


@router.post(
    "/search",
    response_model=schema_of(pb.SearchResponse),
    responses=errors(Reason.INDEX_EMPTY, Reason.DOCUMENT_NOT_FOUND),
)
@needs(Scope.READ)
async def search(body: SearchBody, services: ServicesDep) -> Response:
    """The chunks that fit a query best, by vector and keyword together."""
    return json_response(await services.call("indexer", services.indexer.Search, body.to_proto()))


@router.post("/index:explain", response_model=schema_of(pb.ExplainTokensResponse), responses=errors(Reason.INDEX_EMPTY))
@needs(Scope.READ)
async def explain_tokens(body: TokensBody, services: ServicesDep) -> Response:
    """The terms that a text is searched by, as the index cuts them."""
    request = pb.ExplainTokensRequest(text=body.text)
    return json_response(await services.call("indexer", services.indexer.ExplainTokens, request))


@router.get("/index", response_model=schema_of(pb.GetIndexResponse))
async def get_index(services: ServicesDep) -> Response:
    """What the index was made with, the one kept for a rollback, and the measured fusion."""
    return json_response(await services.call("indexer", services.indexer.GetIndex, pb.GetIndexRequest()))


@router.post("/index:reindex", response_model=schema_of(pb.StartReindexResponse), status_code=202, responses=_JOB)
async def start_reindex(body: ReindexBody, services: ServicesDep, key: IdempotencyKey = "") -> Response:
    """Queue a new index with another embedder; the old one serves until it is complete."""
    request = pb.StartReindexRequest(
        embedder=body.embedder,
        request_id=key,
        questions=[pb.ProbeQuestion(**q.model_dump()) for q in body.questions],
    )
    return json_response(await services.call("indexer", services.indexer.StartReindex, request), 202)


@router.post(
    "/index:rollback", response_model=schema_of(pb.StartIndexRollbackResponse), status_code=202, responses=_JOB
)
async def roll_back_index(services: ServicesDep, key: IdempotencyKey = "") -> Response:
    """Queue the return to the index that was kept."""
    request = pb.StartIndexRollbackRequest(request_id=key)
    return json_response(await services.call("indexer", services.indexer.StartIndexRollback, request), 202)


@router.post(
    "/index:measure", response_model=schema_of(pb.StartFusionMeasurementResponse), status_code=202, responses=_JOB
)
async def measure_fusion(body: FusionBody, services: ServicesDep, key: IdempotencyKey = "") -> Response:
    """Queue a measurement of vectors, keywords and their mixes; the weight it finds is kept."""
    request = pb.StartFusionMeasurementRequest(
        questions=[pb.ProbeQuestion(**q.model_dump()) for q in body.questions], generate=body.generate, request_id=key
    )
    return json_response(await services.call("indexer", services.indexer.StartFusionMeasurement, request), 202)
