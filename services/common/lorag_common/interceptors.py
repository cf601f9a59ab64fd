"""One server interceptor: request id and trace in, domain errors out; a log line, metrics and a span for each call."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
from grpc.aio import ServicerContext
from opentelemetry.trace import SpanKind

from lorag_common import metrics, tracing
from lorag_common.errors import LoragError, Reason
from lorag_common.log import get_logger, request_id
from lorag_common.rpc_errors import to_status

log = get_logger(__name__)
HEADER = "x-request-id"
# Asked every few seconds by probes; a line each would drown the rest.
QUIET = ("/grpc.health.v1.", "/grpc.reflection.")


class _Call:
    """Wraps the body of one call: sets the request id, turns errors into statuses, logs and measures the outcome."""

    def __init__(self, method: str, context: ServicerContext[Any, Any]) -> None:
        self.method = method
        self.context = context
        self.started = time.monotonic()
        given = {name: str(value) for name, value in context.invocation_metadata() or ()}
        request_id.set(given.get(HEADER) or uuid.uuid4().hex)
        self._probe = method.startswith(QUIET)
        self._span = None if self._probe else tracing.Span(method.removeprefix("/"), given, SpanKind.SERVER)
        self._open = True
        metrics.RPCS_RUNNING.labels(method).inc()

    async def fail(self, error: Exception) -> None:
        """Abort the call by the one table; an unknown error becomes INTERNAL and its details stay in the log."""
        if isinstance(error, grpc.aio.AbortError | grpc.RpcError):
            self.note("ABORTED")
            raise error
        if not isinstance(error, LoragError):
            log.error("unhandled error", method=self.method, exc_info=error)
            error = LoragError(Reason.INTERNAL, "An unexpected error happened; the service's log has the details.")
        self.note(str(error.code), reason=str(error.reason), message=error.message)
        await self.context.abort_with_status(to_status(error))

    def note(self, code: str, **more: str) -> None:
        """The call has ended: its log line, its metrics and its span. Only the first time."""
        if not self._open:
            return
        self._open = False
        seconds = time.monotonic() - self.started
        metrics.RPCS_RUNNING.labels(self.method).dec()
        metrics.RPCS.labels(self.method, code).inc()
        metrics.RPC_SECONDS.labels(self.method).observe(seconds)
        if self._span:
            self._span.end(code, failed=code != "OK")
        if not self._probe:
            log.info("call", method=self.method, code=code, ms=round(seconds * 1000, 1), **more)


class ServerInterceptor(grpc.aio.ServerInterceptor):
    """Wraps each of the four kinds of handlers."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any]]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Replace the handler's function by one that runs it inside a `_Call`."""
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return handler
        method = handler_call_details.method
        streams = bool(handler.response_streaming)
        wrap = _stream if streams else _unary
        kind = ("stream" if handler.request_streaming else "unary") + "_" + ("stream" if streams else "unary")
        return handler._replace(**{kind: wrap(method, getattr(handler, kind))})  # type: ignore[no-any-return]


def _unary(method: str, inner: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def handle(request: Any, context: ServicerContext[Any, Any]) -> Any:
        call = _Call(method, context)
        try:
            response = await inner(request, context)
            call.note("OK")
            return response
        except Exception as error:
            return await call.fail(error)
        finally:
            call.note("CANCELLED")

    return handle


def _stream(method: str, inner: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
    async def handle(request: Any, context: ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        call = _Call(method, context)
        try:
            # Closed at once when the caller goes away, and with it whatever it was waiting for.
            async with aclosing(inner(request, context)) as responses:  # type: ignore[type-var]
                async for response in responses:
                    yield response
            call.note("OK")
        except Exception as error:
            await call.fail(error)
        finally:
            call.note("CANCELLED")

    return handle
