"""OpenTelemetry traces across HTTP -> gRPC -> job, on by one setting, LORAG_TRACES:

    http://collector:4317    spans go there by OTLP over gRPC
    file                     one JSON object a span in traces/<service>.jsonl of the data folder; grows without bound
    console                  the same on stderr

Empty means that nothing is recorded and nothing costs anything. The context travels as W3C `traceparent`: in HTTP headers,
in gRPC metadata beside the request id, and in a job's spec, so that a job that is resumed still belongs to its trace.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry import context, propagate, trace

from lorag_common.log import request_id

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

_tracer = trace.get_tracer("lorag")
DELAY_MS = 1000


def configure(service: str, target: str, data: Path) -> None:
    """Record the spans of this process, unless `target` is empty. They are flushed when the process ends.

    Raises:
        OSError: the file cannot be written.
    """
    if not target:
        return
    # The SDK is loaded where something is recorded, and nowhere else.
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"lorag-{service}"}))
    exporter = _exporter(service, target, data)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=DELAY_MS))
    trace.set_tracer_provider(provider)


def carrier() -> dict[str, str]:
    """The current trace, for whoever is called next; empty when nothing is recorded."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers


class Span:
    """One call being served. It becomes the current span of its task or thread."""

    def __init__(self, name: str, headers: Mapping[str, str], kind: trace.SpanKind, **attributes: str) -> None:
        self._span = _tracer.start_span(name, propagate.extract(headers), kind, attributes | _request())
        # Never detached: a call has a task of its own, which ends with it.
        context.attach(trace.set_span_in_context(self._span))

    def end(self, code: str, *, failed: bool) -> None:
        """It ended with this status."""
        self._span.set_attribute("lorag.code", code)
        if failed:
            self._span.set_status(trace.StatusCode.ERROR, code)
        self._span.end()


@contextmanager
def step(name: str, headers: Mapping[str, str] | None = None, **attributes: str) -> Iterator[None]:
    """A part of the work, below `headers`' trace or the current one; an exception marks it."""
    parent = propagate.extract(headers) if headers else None
    with _tracer.start_as_current_span(name, parent, attributes=attributes | _request()):
        yield


def _request() -> dict[str, str]:
    return {"lorag.request_id": current} if (current := request_id.get()) else {}


def _exporter(service: str, target: str, data: Path) -> SpanExporter:
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    if target == "console":
        return ConsoleSpanExporter(out=sys.stderr, formatter=_line)
    if target == "file":
        path = data / "traces" / f"{service}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Line by line, so that a reader never sees half a span.
        return ConsoleSpanExporter(out=path.open("a", encoding="utf-8", buffering=1), formatter=_line)
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=target, insecure=target.startswith("http://"))


def _line(span: ReadableSpan) -> str:
    return f"{span.to_json(indent=None)}\n"
