"""The services behind the gateway: channels, stubs, and the one way to call them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lorag.converter.v1 import converter_pb2_grpc
from lorag.indexer.v1 import indexer_pb2_grpc
from lorag.jobs.v1 import jobs_pb2_grpc
from lorag.qa.v1 import qa_pb2, qa_pb2_grpc
from lorag.trainer.v1 import trainer_pb2_grpc
from lorag_common.channel import DEADLINE_SECONDS, metadata, open_channel
from lorag_common.errors import LoragError
from lorag_common.model_server import AsyncModelServer
from lorag_common.rpc_errors import from_rpc
from lorag_gateway.settings import GatewaySettings

PROBE_SECONDS = 2.0
STREAM_SECONDS = 3600.0
SERVICES_WITH_JOBS = ("trainer", "converter", "indexer", "qa")


class Services:
    """One channel a service. Create it inside a running event loop; `close` it there."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.addresses = settings.addresses
        self._ollama_url = settings.ollama_url
        # One for all probes: making one reads the system's certificates, which takes longer than a page may. No proxy from
        # the environment: the model server is ours, mostly on this machine.
        self._http = httpx.AsyncClient(timeout=PROBE_SECONDS, trust_env=False)
        self._channels = {name: open_channel(address) for name, address in self.addresses.items()}
        self.trainer: Any = trainer_pb2_grpc.TrainerServiceStub(self._channels["trainer"])
        self.converter: Any = converter_pb2_grpc.ConverterServiceStub(self._channels["converter"])
        self.indexer: Any = indexer_pb2_grpc.IndexerServiceStub(self._channels["indexer"])
        self.qa: Any = qa_pb2_grpc.QaServiceStub(self._channels["qa"])
        self.jobs: dict[str, Any] = {
            name: jobs_pb2_grpc.JobServiceStub(self._channels[name]) for name in SERVICES_WITH_JOBS
        }
        self._model_server: AsyncModelServer | None = None
        self._health: dict[str, Any] = {
            name: health_pb2_grpc.HealthStub(channel) for name, channel in self._channels.items()
        }

    async def close(self) -> None:
        """Close the channels."""
        await self._http.aclose()
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    async def call(self, service: str, method: Any, request: Any, timeout: float = DEADLINE_SECONDS) -> Any:
        """One unary call.

        Raises:
            LoragError: what the service answered with; SERVICE_UNAVAILABLE, DEADLINE.
        """
        try:
            return await method(request, timeout=timeout, metadata=metadata())
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, service) from error

    async def stream(self, service: str, method: Any, request: Any) -> AsyncIterator[Any]:
        """One server-streaming call; closing the iterator cancels it.

        Raises:
            LoragError: as `call`, also after messages have come.
        """
        call = method(request, timeout=STREAM_SECONDS, metadata=metadata())
        try:
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, service) from error
        finally:
            call.cancel()

    async def upload(self, service: str, method: Any, messages: AsyncIterator[Any]) -> Any:
        """One client-streaming call, a message at a time, as fast as the service takes them.

        Raises:
            LoragError: as `call`, or what `messages` raised; then the service sees a cancelled call.
        """
        call = method(timeout=STREAM_SECONDS, metadata=metadata())
        try:
            async for message in messages:
                try:
                    await call.write(message)
                except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
                    break  # The service has answered before the end; its answer says why.
            else:
                await call.done_writing()
            return await call
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, service) from error
        finally:
            call.cancel()

    def model_server(self, url: str) -> AsyncModelServer:
        """The client of the model server at an address, kept with its connection."""
        if self._model_server is None or self._model_server.url != url:
            self._model_server = AsyncModelServer(url)
        return self._model_server

    async def health(self) -> dict[str, Any]:
        """Every service by gRPC health, and whether the model server answers."""
        names = list(self.addresses)
        states = await asyncio.gather(*(self._probe(name) for name in names))
        model_server = await self._probe_model_server()
        well = all(state == "SERVING" for state in states) and model_server["status"] == "SERVING"
        return {
            "status": "ok" if well else "degraded",
            "services": {n: {"status": s, "address": self.addresses[n]} for n, s in zip(names, states, strict=True)},
            "model_server": model_server,
        }

    async def _probe(self, name: str) -> str:
        request = health_pb2.HealthCheckRequest()
        try:
            found = await self._health[name].Check(request, timeout=PROBE_SECONDS)
        except grpc.aio.AioRpcError:
            return "UNREACHABLE"
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(found.status))

    async def _probe_model_server(self) -> dict[str, str]:
        url = self._ollama_url
        try:
            config = (await self.call("qa", self.qa.GetConfig, qa_pb2.GetConfigRequest(), PROBE_SECONDS)).config
            url = config.base_url or url
        except LoragError:
            pass  # Question answering is down; its own line says so.
        try:
            version = (await self._http.get(f"{url.rstrip('/')}/api/version")).raise_for_status().json()["version"]
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
            return {"status": "UNREACHABLE", "address": url}
        return {"status": "SERVING", "address": url, "version": str(version)}
