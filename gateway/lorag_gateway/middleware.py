"""Around every request: its id, one access-log line, and a problem document where nothing else caught the error."""

from __future__ import annotations

import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lorag_common import metrics, tracing
from lorag_common.errors import LoragError, Reason
from lorag_common.log import get_logger, request_id
from lorag_gateway.problems import error_response

log = get_logger(__name__)
HEADER = "X-Request-Id"
# It goes on as gRPC metadata and into logs, so it may hold nothing that means something there.
_SAFE = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestIdMiddleware:
    """Takes the caller's X-Request-Id or makes one, and sends it back."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        current = given if _SAFE.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(current)
        started, status = time.monotonic(), 0
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = current
            await send(message)

        try:
            with tracing.step(f"{scope['method']} {scope['path']}", headers):
                await self.app(scope, receive, send_with_id)
        except Exception as error:
            log.error("unhandled error", path=scope["path"], exc_info=error)
            if status:
                raise
            unknown = LoragError(Reason.INTERNAL, "An unexpected error happened; the gateway's log has the details.")
            await error_response(scope["path"], unknown)(scope, receive, send_with_id)
        finally:
            seconds = time.monotonic() - started
            route = route_of(scope)
            metrics.REQUESTS.labels(scope["method"], route, str(status)).inc()
            metrics.REQUEST_SECONDS.labels(route).observe(seconds)
            log.info("request", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1000, 1))
            request_id.reset(token)


def route_of(scope: Scope) -> str:
    """The route's template, `/api/v1/jobs/{job_id}`: the path itself would make a series of metrics for every id."""
    route = scope.get("route")
    if not (template := getattr(route, "path_format", "")):
        return "other"
    # A route knows its path within its router only; what stands before that in this request's path is the rest.
    prefix = scope["path"].removesuffix(template.format(**scope["path_params"]))
    return (prefix if prefix != scope["path"] else "") + str(template)
