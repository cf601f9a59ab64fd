"""The web pages: server-rendered, in Japanese and English, with small ES modules where something moves."""

from __future__ import annotations

from fastapi import FastAPI

from lorag_gateway.pages import reference, sign_in, views
from lorag_gateway.pages.rendering import STATIC
from lorag_gateway.pages.static_files import Assets
from lorag_gateway.routes import system


def install(app: FastAPI) -> None:
    """Add the pages and what they load."""
    app.include_router(system.open_router)
    app.include_router(sign_in.router)
    app.include_router(views.router)
    app.include_router(reference.router)
    app.mount("/static", Assets(directory=STATIC), name="static")
