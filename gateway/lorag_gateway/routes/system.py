"""Health, what this machine has, and the API's own description."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import asdict
from typing import Any

import psutil
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from lorag_common.gpus import gpus
from lorag_gateway.routes.deps import ServicesDep, SettingsDep
from lorag_gateway.settings import GatewaySettings

router = APIRouter(tags=["system"])
open_router = APIRouter(include_in_schema=False)


class Part(BaseModel):
    """A service or the model server."""

    status: str = Field(description="SERVING when it is well.")
    address: str
    version: str | None = None


class Health(BaseModel):
    """The state of things."""

    status: str = Field(description="ok or degraded.")
    services: dict[str, Part]
    model_server: Part


class GpuView(BaseModel):
    """One GPU, in bytes."""

    name: str
    memory_bytes: int
    memory_used_bytes: int


class Machine(BaseModel):
    """What the gateway's machine has, in bytes."""

    memory_bytes: int
    memory_free_bytes: int
    disk_bytes: int = Field(description="Of the volume that holds the data folder.")
    disk_free_bytes: int
    processors: int
    gpus: list[GpuView]


@router.get("/health", response_model=Health, response_model_exclude_none=True)
async def health(services: ServicesDep) -> dict[str, Any]:
    """`status` is ok when every service and the model server answer, else degraded; each is named."""
    return await services.health()


@router.get("/machine")
async def machine(settings: SettingsDep) -> Machine:
    """Memory, disk and GPUs of the gateway's machine."""
    return await asyncio.to_thread(measure, settings)


def measure(settings: GatewaySettings) -> Machine:
    """Memory, disk and GPUs now."""
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(settings.data)
    return Machine(
        memory_bytes=memory.total,
        memory_free_bytes=memory.available,
        disk_bytes=disk.total,
        disk_free_bytes=disk.free,
        processors=psutil.cpu_count() or 1,
        gpus=[GpuView(**asdict(g)) for g in gpus()],
    )


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> JSONResponse:
    """This API's description."""
    return JSONResponse(request.app.openapi())


@open_router.get("/livez")
async def livez() -> dict[str, str]:
    """Whether the process answers; for container health checks, so it needs no key."""
    return {"status": "ok"}


@open_router.get("/readyz")
async def readyz(services: ServicesDep) -> JSONResponse:
    """Whether every part answers, and no more than that, so it needs no key."""
    status = (await services.health())["status"]
    return JSONResponse({"status": status}, 200 if status == "ok" else 503)
