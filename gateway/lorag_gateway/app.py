"""The application: routes, errors, and what lives as long as it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from lorag_common.jobs import Jobs
from lorag_gateway import problems
from lorag_gateway.middleware import RequestIdMiddleware
from lorag_gateway.pipeline import KIND, Pipeline
from lorag_gateway.routes import answers, documents, jobs, releases, system, training
from lorag_gateway.services import Services
from lorag_gateway.settings import GatewaySettings

PREFIX = "/api/v1"
# Pipelines mostly wait; the services' own queues decide what runs at once.
PIPELINES = 8


def create_app(settings: GatewaySettings) -> FastAPI:
    """The gateway for these settings. One a process, since the job engine is."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        own = Jobs("gateway", settings.data, workers={KIND: PIPELINES})
        pipeline = Pipeline(own, settings.addresses)
        app.state.jobs, app.state.services = own, Services(settings)
        await asyncio.to_thread(own.launch)
        try:
            yield
        finally:
            await asyncio.to_thread(own.close)
            pipeline.close()
            await app.state.services.close()

    app = FastAPI(
        title="LoRAG",
        version="0.1.0",
        description="Fine-tune a model on your examples, release it, and let it answer from your documents.",
        lifespan=lifespan,
        responses=problems.RESPONSES,
    )
    app.add_middleware(RequestIdMiddleware)
    problems.install(app)
    for module in (training, releases, documents, answers, jobs, system):
        app.include_router(module.router, prefix=PREFIX)
    app.include_router(system.page_router)
    return app
