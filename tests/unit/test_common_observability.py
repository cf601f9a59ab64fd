"""Metrics, spans and TLS, between a real server and a real client."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from lorag.jobs.v1 import jobs_pb2, jobs_pb2_grpc
from lorag_common import certificates, metrics, serve, tracing
from lorag_common.channel import metadata, open_channel
from lorag_common.errors import LoragError, Reason
from lorag_common.interceptors import ServerInterceptor
from lorag_common.log import request_id

METHOD = "/lorag.jobs.v1.JobService/"


class Service(jobs_pb2_grpc.JobServiceServicer):
    async def GetJob(self, request: Any, context: Any) -> Any:
        if request.id == "none":
            raise LoragError(Reason.JOB_NOT_FOUND, "none")
        return jobs_pb2.GetJobResponse()

    async def WatchJob(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield jobs_pb2.WatchJobResponse()
        await asyncio.sleep(60)


@pytest.fixture
async def stub() -> AsyncIterator[Any]:
    async with serving() as address, open_channel(address) as channel:
        yield jobs_pb2_grpc.JobServiceStub(channel)


class serving:
    """A server with our interceptor on a free port, plain or not, as the environment says."""

    async def __aenter__(self) -> str:
        self.server = grpc.aio.server(interceptors=[ServerInterceptor()])
        jobs_pb2_grpc.add_JobServiceServicer_to_server(Service(), self.server)
        health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), self.server)
        port = serve._listen(self.server, "127.0.0.1:0")
        await self.server.start()
        return f"127.0.0.1:{port}"

    async def __aexit__(self, *_: object) -> None:
        await self.server.stop(None)


def counted(method: str, code: str) -> float:
    return REGISTRY.get_sample_value("lorag_rpcs_total", {"method": METHOD + method, "code": code}) or 0.0


async def test_every_call_is_counted_once_by_how_it_ended(stub: Any) -> None:
    before = {c: counted(*c) for c in (("GetJob", "OK"), ("GetJob", "NOT_FOUND"), ("WatchJob", "CANCELLED"))}
    await stub.GetJob(jobs_pb2.GetJobRequest())
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.GetJob(jobs_pb2.GetJobRequest(id="none"))
    call = stub.WatchJob(jobs_pb2.WatchJobRequest())
    await anext(aiter(call))
    running = {"method": f"{METHOD}WatchJob"}
    assert REGISTRY.get_sample_value("lorag_rpcs_running", running) == 1
    call.cancel()
    for _ in range(100):
        if REGISTRY.get_sample_value("lorag_rpcs_running", running) == 0:
            break
        await asyncio.sleep(0.02)
    assert {c: counted(*c) - n for c, n in before.items()} == dict.fromkeys(before, 1.0)
    assert REGISTRY.get_sample_value("lorag_rpc_seconds_count", {"method": f"{METHOD}GetJob"}) >= 2


async def test_a_callers_span_and_request_id_become_the_servers(stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    token = request_id.set("mine")
    try:
        with tracing.step("caller"):
            await stub.GetJob(jobs_pb2.GetJobRequest(), metadata=metadata())
            kept = tracing.carrier()
        # A job that is resumed later, elsewhere, with what its spec kept.
        with tracing.step("job", kept):
            pass
    finally:
        request_id.reset(token)
    assert trace.get_current_span(context.get_current()) is trace.INVALID_SPAN
    found = {s.name: s for s in spans.get_finished_spans()}
    caller, served, job = found["caller"], found[f"{METHOD[1:]}GetJob"], found["job"]
    assert served.parent.span_id == job.parent.span_id == caller.context.span_id
    assert {s.context.trace_id for s in found.values()} == {caller.context.trace_id}
    assert served.attributes == {"lorag.request_id": "mine", "lorag.code": "OK"}


def test_jobs_and_gpus_are_asked_for_at_the_scrape() -> None:
    numbers = {("training", "RUNNING"): 1}
    collector = metrics._Jobs(lambda: numbers)
    numbers[("training", "PENDING")] = 3
    (family,) = collector.collect()
    assert {(s.labels["state"], s.value) for s in family.samples} == {("RUNNING", 1), ("PENDING", 3)}


async def test_with_tls_only_certificates_of_the_authority_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates.make(tmp_path / "ours", days=1)
    certificates.make(tmp_path / "theirs", days=1)
    monkeypatch.setenv("LORAG_TLS", str(tmp_path / "ours" / "qa"))
    async with serving() as address:

        async def check(folder: Path | None) -> bool:
            if folder:
                monkeypatch.setenv("LORAG_TLS", str(folder))
            else:
                monkeypatch.delenv("LORAG_TLS")
            async with open_channel(address) as channel:
                try:
                    await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
                except grpc.aio.AioRpcError as error:
                    assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
                    return False
                return True

        assert await check(tmp_path / "ours" / "gateway")
        assert not await check(tmp_path / "theirs" / "gateway"), "another authority's"
        assert not await check(None), "no certificate"
        (tmp_path / "ours" / "client" / "key.pem").unlink()
        with pytest.raises(LoragError, match=r"key\.pem") as missing:
            await check(tmp_path / "ours" / "client")
        assert missing.value.reason is Reason.CONFIG_INVALID and "lorag tls" in missing.value.remedy


@pytest.mark.parametrize("service", ["trainer", "converter", "indexer", "qa", "gateway"])
def test_a_service_without_its_certificates_ends_by_a_line_that_says_so(tmp_path: Path, service: str) -> None:
    settings = {"LORAG_DATA": str(tmp_path / "data"), "LORAG_PORT": "0", "LORAG_TLS": str(tmp_path / "nothing")}
    command = [sys.executable, "-m", f"lorag_{service}"]
    done = subprocess.run(
        command, env=os.environ | settings, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "ca.pem cannot be read" in done.stderr.splitlines()[-1] and "lorag tls" in done.stderr.splitlines()[-1]


def test_renewing_keeps_the_authority_and_keys_are_private(tmp_path: Path) -> None:
    certificates.make(tmp_path, days=1)
    authority = (tmp_path / "authority" / "ca.pem").read_bytes()
    certificates.make(tmp_path, days=2, names=("gpu1.example",))
    assert (tmp_path / "authority" / "ca.pem").read_bytes() == authority
    assert (tmp_path / "trainer" / "key.pem").stat().st_mode & 0o777 == 0o600
    loaded = ssl._ssl._test_decode_cert(str(tmp_path / "trainer" / "cert.pem"))  # type: ignore[attr-defined]
    assert ("DNS", "gpu1.example") in loaded["subjectAltName"]
    assert ("DNS", "trainer") in loaded["subjectAltName"]


def test_http_requests_are_counted_by_the_routes_template() -> None:
    from fastapi import APIRouter, FastAPI
    from fastapi.testclient import TestClient

    from lorag_gateway.middleware import RequestIdMiddleware

    router, app = APIRouter(), FastAPI()
    router.get("/things/{x}")(lambda x: x)
    app.include_router(router, prefix="/observed/v1")
    app.add_middleware(RequestIdMiddleware)
    client = TestClient(app)
    for path in ("/observed/v1/things/1", "/observed/v1/things/2", "/nowhere"):
        client.get(path)

    def count(route: str, status: str) -> float | None:
        labels = {"method": "GET", "route": route, "status": status}
        return REGISTRY.get_sample_value("lorag_http_requests_total", labels)

    assert count("/observed/v1/things/{x}", "200") == 2
    assert count("other", "404") == 1
