"""Signing in with an API key, where one is asked for. The browser keeps a session's cookie, not the key."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from python_multipart.multipart import parse_options_header

from lorag_gateway.access.caller import COOKIE, SESSION_SECONDS, needs, session_token
from lorag_gateway.access.keys import Scope
from lorag_gateway.pages.rendering import render
from lorag_gateway.routes.deps import KeysDep, SessionsDep

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def sign_in_page(request: Request) -> Response:
    """Ask for a key."""
    return render(request, "login.html", failed=False)


@router.post("/login")
async def sign_in(request: Request, keys: KeysDep, sessions: SessionsDep) -> Response:
    """Exchange a key for a session."""
    kind, _ = parse_options_header(request.headers.get("content-type", ""))
    given = ""
    if kind == b"application/x-www-form-urlencoded":
        given = str((await request.form()).get("key", ""))
    key = await asyncio.to_thread(keys.verify, given.strip())
    if key is None:
        return render(request, "login.html", 401, failed=True)
    response = RedirectResponse("/", 303)
    response.set_cookie(
        COOKIE,
        sessions.open(key),
        max_age=int(SESSION_SECONDS),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.post("/logout")
@needs(Scope.READ)
async def sign_out(request: Request, sessions: SessionsDep) -> Response:
    """End the session."""
    sessions.close(session_token(request.headers))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE)
    return response
