"""The web pages: server-rendered, in Japanese and English, with small ES modules where something moves."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response

from lorag_common.errors import LoragError
from lorag_gateway.pages import reference, sign_in, views
from lorag_gateway.pages.rendering import STATIC, render
from lorag_gateway.pages.static_files import Assets
from lorag_gateway.routes import system


def install(app: FastAPI) -> None:
    """Add the pages and what they load."""
    app.include_router(system.open_router)
    app.include_router(sign_in.router)
    app.include_router(views.router)
    app.include_router(reference.router)
    app.state.problem_page = _problem_page
    app.mount("/static", Assets(directory=STATIC), name="static")


def _problem_page(request: Request, error: LoragError, status: int) -> Response:
    """What a browser shows where a page could not be had."""
    problem = {"message": error.message, "remedy": error.remedy, "reason": str(error.reason)}
    return render(request, "problem.html", status, found={"problem": problem})
