"""The one server bootstrap: interceptor, health, reflection, jobs, and a SIGTERM that drains."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lorag.jobs.v1 import jobs_pb2, jobs_pb2_grpc
from lorag_common import metrics, tls, tracing
from lorag_common.channel import MAX_MESSAGE_BYTES
from lorag_common.interceptors import ServerInterceptor
from lorag_common.job_servicer import JobServicer
from lorag_common.jobs import Jobs
from lorag_common.log import configure, get_logger
from lorag_common.settings import ServiceSettings

DRAIN_SECONDS = 10.0
OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
    ("grpc.so_reuseport", 0),
]

AddServices = Callable[[grpc.aio.Server], list[str]]
"""Adds a service's servicers to the server and returns the full names of their services."""


async def serve(
    settings: ServiceSettings, *, service: str, add_services: AddServices, jobs: Jobs | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then drain: health says NOT_SERVING, calls get 10 s, children checkpoint.

    Raises:
        OSError: the address, or that of the metrics, is taken.
    """
    configure(service, settings.log_level)
    tracing.configure(service, settings.traces, settings.data)
    log = get_logger(__name__)
    server = grpc.aio.server(interceptors=[ServerInterceptor()], options=OPTIONS)
    names = add_services(server)
    if jobs is not None:
        await asyncio.to_thread(jobs.launch)
        jobs_pb2_grpc.add_JobServiceServicer_to_server(JobServicer(jobs), server)
        names = [*names, jobs_pb2.DESCRIPTOR.services_by_name["JobService"].full_name]
    metrics.serve(settings, jobs.unfinished if jobs else None)
    status = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    reflection.enable_server_reflection((*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    try:
        port = _listen(server, f"{settings.host}:{settings.port}")
    except RuntimeError as error:
        raise OSError(f"{service}: cannot listen on {settings.host}:{settings.port}; is it taken?") from error
    await server.start()
    for name in (*names, ""):
        await status.set(name, health_pb2.HealthCheckResponse.SERVING)
    log.info("serving", address=f"{settings.host}:{port}")

    stop = asyncio.Event()
    for sig in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sig, stop.set)
    await stop.wait()
    log.info("draining")
    await status.enter_graceful_shutdown()
    await server.stop(DRAIN_SECONDS)
    if jobs is not None:
        await asyncio.to_thread(jobs.close)
    log.info("stopped")


def _listen(server: grpc.aio.Server, address: str) -> int:
    """Plain, or with client certificates where LORAG_TLS says so; returns the port."""
    found = tls.material()
    if found is None:
        return int(server.add_insecure_port(address))
    pairs = [(found.key, found.certificate)]
    credentials = grpc.ssl_server_credentials(pairs, root_certificates=found.ca, require_client_auth=True)
    return int(server.add_secure_port(address, credentials))
