"""Documents and their pages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag_common.errors import LoragError, Reason
from lorag_gateway.bodies.documents import DocumentBody
from lorag_gateway.bodies.shared import Int32, PageSize, PageToken, timestamp
from lorag_gateway.document_text import pages
from lorag_gateway.problems import errors
from lorag_gateway.routes.deps import ServicesDep
from lorag_gateway.upload import OPENAPI_BODY, drain, file_messages
from lorag_gateway.wire import json_response, schema_of

router = APIRouter(tags=["documents"])
# A page that takes longer is not drawable; the indexer says so itself.
RENDER_SECONDS = 60.0
_MISSING = errors(Reason.DOCUMENT_NOT_FOUND)
_IMAGE: dict[int | str, Any] = {
    200: {"description": "The page.", "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
}

_TEXT: dict[int | str, Any] = {
    200: {"description": "The text.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


@router.post(
    "/documents",
    openapi_extra=OPENAPI_BODY,
    response_model=schema_of(pb.UploadDocumentResponse),
    status_code=202,
    responses=errors(Reason.NOT_A_PDF, Reason.EMBEDDER_MISSING, Reason.DISK_FULL),
)
async def upload_document(request: Request, services: ServicesDep) -> Response:
    """Store a PDF, Markdown or text file and queue its indexing. A name that is taken is replaced."""
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
async def list_documents(
    services: ServicesDep,
    page_size: PageSize = 0,
    page_token: PageToken = "",
    state: Annotated[Literal["", "indexing", "ready", "failed"], Query(description="Only in this state.")] = "",
    tag: Annotated[str, Query(description="Only with this tag.")] = "",
) -> Response:
    """Documents, newest first."""
    wanted = f"DOCUMENT_STATE_{state.upper() or 'UNSPECIFIED'}"
    request = pb.ListDocumentsRequest(page_size=page_size, page_token=page_token, state=wanted, tag=tag)
    return json_response(await services.call("indexer", services.indexer.ListDocuments, request))


@router.get("/documents/{document_id}", response_model=schema_of(pb.GetDocumentResponse), responses=_MISSING)
async def get_document(document_id: str, services: ServicesDep) -> Response:
    """One document."""
    request = pb.GetDocumentRequest(id=document_id)
    return json_response(await services.call("indexer", services.indexer.GetDocument, request))


@router.patch("/documents/{document_id}", response_model=schema_of(pb.UpdateDocumentResponse), responses=_MISSING)
async def update_document(document_id: str, body: DocumentBody, services: ServicesDep) -> Response:
    """Set the tags and the date of a document, by which searches may be narrowed."""
    request = pb.UpdateDocumentRequest(id=document_id, tags=body.tags, date=timestamp(body.date))
    return json_response(await services.call("indexer", services.indexer.UpdateDocument, request))


@router.delete("/documents/{document_id}", status_code=204, responses=_MISSING)
async def delete_document(document_id: str, services: ServicesDep) -> Response:
    """Remove a document, its pages and its chunks."""
    await services.call("indexer", services.indexer.DeleteDocument, pb.DeleteDocumentRequest(id=document_id))
    return Response(status_code=204)


@router.get("/documents/{document_id}/pages", response_model=schema_of(pb.ListPagesResponse), responses=_MISSING)
async def list_pages(
    document_id: str, services: ServicesDep, page_size: PageSize = 0, page_token: PageToken = ""
) -> Response:
    """What became of each page: how its text was read and how good it is."""
    request = pb.ListPagesRequest(document_id=document_id, page_size=page_size, page_token=page_token)
    return json_response(await services.call("indexer", services.indexer.ListPages, request))


@router.get("/documents/{document_id}/text", responses=_TEXT | _MISSING, response_class=Response)
async def document_text(document_id: str, services: ServicesDep) -> Response:
    """The text of a document as it was read, a form feed between two pages."""
    text = "\f".join([page async for page in pages(services, document_id)])
    return Response(text, media_type="text/plain; charset=utf-8")


@router.get(
    "/documents/{document_id}/pages/{page}/image",
    responses=_IMAGE | errors(Reason.DOCUMENT_NOT_FOUND, Reason.IN_USE),
    response_class=Response,
)
async def page_image(
    document_id: str,
    page: Int32,
    services: ServicesDep,
    span_start: Annotated[Int32, Query(description="First character to highlight.")] = 0,
    span_end: Annotated[Int32, Query(description="One past the last.")] = 0,
    width: Annotated[Int32, Query(description="In pixels; 0 means 1000.")] = 0,
) -> Response:
    """A page as a PNG, a span of its text highlighted."""
    request = pb.RenderPageRequest(
        document_id=document_id, page=page, span_start=span_start, span_end=span_end, width=width
    )
    found = await services.call("indexer", services.indexer.RenderPage, request, RENDER_SECONDS)
    return Response(found.image, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})
