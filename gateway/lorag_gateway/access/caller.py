"""Who is calling, and whether that is enough for a route."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from lorag_common.errors import LoragError, Reason
from lorag_gateway.access.keys import Key, Keys, Scope

COOKIE = "lorag_session"
SESSION_SECONDS = 12 * 3600.0
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Caller:
    """Who is calling: a key, or someone on this machine where no key is asked for."""

    id: str
    name: str
    scope: Scope


class Sessions:
    """Browsers that have shown a key. In memory: after a restart they show it again."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._lock = threading.Lock()
        self._sessions: dict[str, tuple[str, float]] = {}

    def open(self, key: Key) -> str:
        """A new session's token, for a cookie."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            now = time.monotonic()
            self._sessions = {t: s for t, s in self._sessions.items() if s[1] > now}
            self._sessions[_digest(token)] = (key.id, now + SESSION_SECONDS)
        return token

    def key(self, token: str) -> Key | None:
        """The key behind a token, None when it has run out or the key was revoked."""
        with self._lock:
            key_id, until = self._sessions.get(_digest(token), ("", 0.0))
        return self._keys.get(key_id) if until > time.monotonic() else None

    def close(self, token: str) -> None:
        """Forget a session."""
        with self._lock:
            self._sessions.pop(_digest(token), None)


def identify(headers: Headers, keys: Keys, sessions: Sessions) -> Caller:
    """The caller of a request, by `Authorization: Bearer`, `X-API-Key` or the page's cookie.

    Raises:
        LoragError: KEY_MISSING, KEY_WRONG.
    """
    scheme, _, text = headers.get("authorization", "").partition(" ")
    given = text.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
    if given:
        key = keys.verify(given)
        if key is None:
            raise LoragError(Reason.KEY_WRONG, "This API key is not known.")
    else:
        key = sessions.key(session_token(headers))
        if key is None:
            raise LoragError(Reason.KEY_MISSING, "This address asks for an API key.")
    return Caller(key.id, key.name, Scope.named(key.scope))


def session_token(headers: Headers) -> str:
    """The session's token from the cookie, or empty."""
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")


def needs(scope: Scope) -> Callable[[F], F]:
    """Say which scope a route needs, where it is not the one that its method means (GET read, all else write)."""

    def mark(endpoint: F) -> F:
        endpoint.__lorag_scope__ = scope  # type: ignore[attr-defined]
        return endpoint

    return mark


def scope_of(endpoint: Callable[..., Any], method: str) -> Scope:
    """The scope that a route needs."""
    usual = Scope.READ if method in ("GET", "HEAD") else Scope.WRITE
    scope: Scope = getattr(endpoint, "__lorag_scope__", usual)
    return scope


async def authorize(request: Request) -> None:
    """A dependency of every route: whether the caller may.

    Raises:
        LoragError: SCOPE_TOO_SMALL.
    """
    needed = scope_of(request.scope["endpoint"], request.method)
    request.scope["lorag_scope"] = needed
    caller: Caller | None = request.scope.get("lorag_caller")
    if caller is not None and caller.scope < needed:
        raise LoragError(
            Reason.SCOPE_TOO_SMALL,
            f"This needs a key of the scope {needed.name.lower()}; '{caller.name}' has {caller.scope.name.lower()}.",
        )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
