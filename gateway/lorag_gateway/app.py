"""The application: routes, errors, and what lives as long as it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from lorag_common import metrics
from lorag_common.jobs import Jobs
from lorag_gateway import pages, problems
from lorag_gateway.access.audit import Audit
from lorag_gateway.access.caller import Sessions, authorize
from lorag_gateway.access.keys import Keys
from lorag_gateway.access.middleware import AccessMiddleware
from lorag_gateway.kept_answers import KeptAnswers
from lorag_gateway.middleware import RequestIdMiddleware
from lorag_gateway.pipeline import KIND, Pipeline
from lorag_gateway.routes import answers, documents, jobs, keys, openai, releases, search, system, training
from lorag_gateway.services import Services
from lorag_gateway.settings import GatewaySettings
from lorag_gateway.watching import Watching

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
        app.state.watching = Watching(app.state.services, own)
        await asyncio.to_thread(own.launch)
        metrics.serve(settings, own.unfinished)
        try:
            yield
        finally:
            await app.state.kept_answers.close()
            await app.state.watching.close()
            await asyncio.to_thread(own.close)
            pipeline.close()
            await app.state.services.close()

    app = FastAPI(
        title="LoRAG",
        version="0.1.0",
        description="Fine-tune a model on your examples, release it, and let it answer from your documents.",
        lifespan=lifespan,
        responses=problems.RESPONSES,
        dependencies=[Depends(authorize)],
        # The pages that FastAPI has for these load scripts from elsewhere; ours is `pages/reference.py`.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.settings = settings
    app.state.keys, app.state.audit = Keys(settings.data), Audit(settings.data)
    app.state.sessions, app.state.kept_answers = Sessions(app.state.keys), KeptAnswers()
    app.add_middleware(
        AccessMiddleware, settings=settings, keys=app.state.keys, sessions=app.state.sessions, audit=app.state.audit
    )
    app.add_middleware(RequestIdMiddleware)
    problems.install(app)
    for module in (training, releases, documents, search, answers, jobs, system, keys):
        app.include_router(module.router, prefix=PREFIX)
    app.include_router(openai.router, prefix="/v1")
    pages.install(app)
    return app
