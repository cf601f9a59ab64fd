"""Health, and the page that shows it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from lorag_gateway.page import render
from lorag_gateway.routes.deps import ServicesDep

router = APIRouter(tags=["system"])
page_router = APIRouter(include_in_schema=False)


@router.get("/health")
async def health(services: ServicesDep) -> dict[str, Any]:
    """`status` is ok when every service and the model server answer, else degraded; each is named."""
    return await services.health()


@page_router.get("/")
async def page(request: Request, services: ServicesDep) -> HTMLResponse:
    """The state of things, for people."""
    return HTMLResponse(render(await services.health(), request.headers.get("accept-language", "")))
