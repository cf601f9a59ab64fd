"""Errors as RFC 9457 problem documents, all from the one error table."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from lorag_common.errors import LoragError, Reason

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(description="Stable identifier of the cause, as a URN.", examples=["urn:lorag:RELEASE_NOT_FOUND"])
    title: str = Field(description="The canonical status code in words.", examples=["Not found"])
    status: int = Field(description="HTTP status.", examples=[404])
    detail: str = Field(description="What went wrong.", examples=["There is no release 'manual:v7'."])
    reason: str = Field(description="The cause, for programs.", examples=["RELEASE_NOT_FOUND"])
    remedy: str = Field(description="What to do about it.", examples=["`lorag release list` shows what is there."])
    field: str | None = Field(default=None, description="The request field at fault, where there is one.")


RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "What went wrong and what to do about it.",
        "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
    }
}


def problem_of(error: LoragError, status: int | None = None) -> dict[str, Any]:
    """The document of an error."""
    body = {
        "type": f"urn:lorag:{error.reason}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": status or error.http_status,
        "detail": error.message,
        "reason": str(error.reason),
        "remedy": error.remedy,
    }
    return body | ({"field": error.field} if error.field else {})


def problem_response(error: LoragError, status: int | None = None, headers: dict[str, str] | None = None) -> Response:
    """The document as a response."""
    body = problem_of(error, status)
    return JSONResponse(body, status_code=body["status"], media_type=MEDIA_TYPE, headers=headers)


def install(app: FastAPI) -> None:
    """Make the application answer every error with a problem document."""

    @app.exception_handler(LoragError)
    async def _(_: Request, error: LoragError) -> Response:
        return problem_response(error)

    @app.exception_handler(RequestValidationError)
    async def _(_: Request, error: RequestValidationError) -> Response:
        return problem_response(_invalid(error))

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code in (404, 405):
            what = f"There is no {request.method} {request.url.path}."
            named = LoragError(Reason.INVALID_FIELD, what, remedy="The page /docs lists every address of this API.")
        else:
            named = LoragError(Reason.INVALID_FIELD, str(error.detail))
        return problem_response(named, error.status_code, headers)


def _invalid(error: RequestValidationError) -> LoragError:
    """Name the first field at fault; the message counts the others."""
    found = error.errors()
    first = found[0]
    place = [str(p) for p in first["loc"] if p not in ("body", "query", "path", "header")]
    field = ".".join(place) or "body"
    more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
    return LoragError(Reason.INVALID_FIELD, f"{field}: {first['msg']}{more}", field=field)
