"""Errors as RFC 9457 problem documents, all from the one error table; below /v1 in the shape of OpenAI's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from lorag_common.errors import LoragError, Reason, http_status
from lorag_common.hangup import CallerGone

MEDIA_TYPE = "application/problem+json"
OPENAI_PREFIX = "/v1/"


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(description="Stable identifier of the cause, as a URN.", examples=["urn:lorag:RELEASE_NOT_FOUND"])
    title: str = Field(description="The canonical status code in words.", examples=["Not found"])
    status: int = Field(description="HTTP status.", examples=[404])
    detail: str = Field(description="What went wrong.", examples=["There is no release 'manual:v7'."])
    reason: str = Field(description="The cause, for programs.", examples=["RELEASE_NOT_FOUND"])
    remedy: str = Field(description="What to do about it.", examples=["`lorag release list` shows what is there."])
    field: str | None = Field(default=None, description="The request field at fault, where there is one.")


class OpenAIError(BaseModel):
    """What OpenAI's API says of an error."""

    message: str = Field(description="What went wrong and what to do about it.")
    type: str = Field(description="invalid_request_error, authentication_error and the like.")
    param: str | None = Field(default=None, description="The request field at fault.")
    code: str = Field(description="The cause, for programs.")


class OpenAIProblem(BaseModel):
    """An error in the shape of OpenAI's API."""

    error: OpenAIError


# What any route may answer with: bad shapes, keys, hosts and origins, limits, and services that are down.
ANYWHERE = (
    Reason.INVALID_FIELD,
    Reason.KEY_MISSING,
    Reason.SCOPE_TOO_SMALL,
    Reason.UPLOAD_TOO_LARGE,
    Reason.HOST_REFUSED,
    Reason.TOO_MANY_REQUESTS,
    Reason.SERVICE_UNAVAILABLE,
    Reason.DEADLINE,
)


def errors(*reasons: Reason, media_type: str = MEDIA_TYPE, shape: type[BaseModel] = Problem) -> dict[int | str, Any]:
    """The responses of a route that may fail by these reasons, for its description."""
    named: dict[int, list[str]] = {}
    for reason in reasons:
        named.setdefault(http_status(reason), []).append(str(reason))
    return {
        status: {
            "description": ", ".join(sorted(set(found))) + ".",
            "content": {media_type: {"schema": shape.model_json_schema(ref_template="#/components/schemas/{model}")}},
        }
        for status, found in named.items()
    }


RESPONSES = errors(*ANYWHERE)
OPENAI_RESPONSES = {
    status: {"model": OpenAIProblem, "description": found["description"]}
    for status, found in errors(
        *ANYWHERE,
        Reason.MODEL_NOT_FOUND,
        Reason.NO_ACTIVE_RELEASE,
        Reason.MODEL_SERVER_UNAVAILABLE,
        Reason.OUT_OF_MEMORY,
    ).items()
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


def openai_error(error: LoragError, status: int | None = None) -> dict[str, Any]:
    """The same in the shape of OpenAI's API."""
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    status = status or error.http_status
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    message = f"{error.message} {error.remedy}"
    return {"error": {"message": message, "type": kind, "param": error.field, "code": error.reason.lower()}}


def error_response(
    path: str, error: LoragError, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The error as a response of the API that the path belongs to."""
    status = status or error.http_status
    if path.startswith(OPENAI_PREFIX):
        return JSONResponse(openai_error(error, status), status, headers=headers)
    return JSONResponse(problem_of(error, status), status, media_type=MEDIA_TYPE, headers=headers)


def wants_page(method: str, path: str, accept: str) -> bool:
    """Whether a person's browser asked for a page, and not a program for data."""
    return method == "GET" and not path.startswith(("/api/", OPENAI_PREFIX)) and "text/html" in accept


def install(app: FastAPI) -> None:
    """Make the application answer every error with a problem document, or a browser with a page that says it."""

    def answer(
        request: Request, error: LoragError, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        if wants_page(request.method, request.url.path, request.headers.get("accept", "")):
            page: Response = request.app.state.problem_page(request, error, status or error.http_status)
            return page
        return error_response(request.url.path, error, status, headers)

    @app.exception_handler(LoragError)
    async def _(request: Request, error: LoragError) -> Response:
        return answer(request, error)

    @app.exception_handler(CallerGone)
    async def _(_: Request, __: CallerGone) -> Response:
        # Nobody reads it; the access log does, and this is what proxies have there for it.
        return Response(status_code=499)

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> Response:
        return answer(request, _invalid(error))

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        if isinstance(error.__cause__, LoragError):
            return answer(request, error.__cause__)  # raised while a body was read
        if error.status_code in (404, 405):
            what = f"There is no {request.method} {request.url.path}."
            named = LoragError(Reason.INVALID_FIELD, what, remedy="The page /docs lists every address of this API.")
        else:
            named = LoragError(Reason.INVALID_FIELD, str(error.detail))
        return answer(request, named, error.status_code, error.headers)


def _invalid(error: RequestValidationError) -> LoragError:
    """Name the first field at fault; the message counts the others."""
    found = error.errors()
    first = found[0]
    place = [str(p) for p in first["loc"] if p not in ("body", "query", "path", "header")]
    field = ".".join(place) or "body"
    more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
    return LoragError(Reason.INVALID_FIELD, f"{field}: {first['msg']}{more}", field=field)
