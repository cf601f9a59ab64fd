"""Documents and search."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag_common.errors import LoragError
from lorag_gateway.bodies import PageSize, PageToken, SearchBody
from lorag_gateway.routes.deps import ServicesDep
from lorag_gateway.upload import OPENAPI_BODY, drain, file_messages
from lorag_gateway.wire import json_response, schema_of

router = APIRouter(tags=["documents"])


@router.post(
    "/documents", openapi_extra=OPENAPI_BODY, response_model=schema_of(pb.UploadDocumentResponse), status_code=202
)
async def upload_document(request: Request, services: ServicesDep) -> Response:
    """Store a PDF and queue its indexing. The same bytes are one document; a name that is taken is replaced."""
    messages = file_messages(
        request,
        lambda name: pb.UploadDocumentRequest(metadata=pb.UploadDocumentMetadata(name=name)),
        lambda data: pb.UploadDocumentRequest(chunk=data),
    )
    try:
        return json_response(await services.upload("indexer", services.indexer.UploadDocument, messages), 202)
    except LoragError:
        await drain(request)
        raise


@router.get("/documents", response_model=schema_of(pb.ListDocumentsResponse))
async def list_documents(services: ServicesDep, page_size: PageSize = 0, page_token: PageToken = "") -> Response:
    """Documents, newest first."""
    request = pb.ListDocumentsRequest(page_size=page_size, page_token=page_token)
    return json_response(await services.call("indexer", services.indexer.ListDocuments, request))


@router.get("/documents/{document_id}", response_model=schema_of(pb.GetDocumentResponse))
async def get_document(document_id: str, services: ServicesDep) -> Response:
    """One document."""
    request = pb.GetDocumentRequest(id=document_id)
    return json_response(await services.call("indexer", services.indexer.GetDocument, request))


@router.delete("/documents/{document_id}", status_code=204)
async def delete_document(document_id: str, services: ServicesDep) -> Response:
    """Remove a document, its pages and its chunks."""
    await services.call("indexer", services.indexer.DeleteDocument, pb.DeleteDocumentRequest(id=document_id))
    return Response(status_code=204)


@router.post("/search", response_model=schema_of(pb.SearchResponse))
async def search(body: SearchBody, services: ServicesDep) -> Response:
    """The chunks that fit a query best, by vector and keyword together."""
    request = pb.SearchRequest(**body.model_dump(exclude_none=True))
    return json_response(await services.call("indexer", services.indexer.Search, request))
