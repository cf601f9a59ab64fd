"""The gate before every route: host, origin, key, rate, size; and the headers that every response carries."""

from __future__ import annotations

import asyncio
import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lorag_common.errors import LoragError, Reason
from lorag_common.log import caller as caller_id
from lorag_common.log import request_id
from lorag_gateway.access.audit import Audit
from lorag_gateway.access.caller import Caller, Sessions, identify
from lorag_gateway.access.keys import Keys
from lorag_gateway.access.keys import Scope as KeyScope
from lorag_gateway.access.limits import Open, Rate, TooMany
from lorag_gateway.problems import error_response, wants_page
from lorag_gateway.settings import GatewaySettings

LOCAL = Caller("local", "this machine", KeyScope.ADMIN)
# Reachable without a key: what the sign-in page needs, and whether the process lives.
PUBLIC = ("/static/", "/login", "/livez", "/readyz")
UPLOADS = ("/api/v1/datasets", "/api/v1/documents")
# Bodies that are no uploads: questions, settings, a conversation.
MOST_BODY_BYTES = 4 << 20
SAFE = ("GET", "HEAD", "OPTIONS")
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: a browser would then send the page's own forms, the sign-in among them, from the origin "null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class AccessMiddleware:
    """Lets a request through to its route, or answers why not.

    Args:
        app: what is behind it.
        settings: address, limits, whether keys are asked for.
        keys: the API keys.
        sessions: browsers that have shown one.
        audit: where changes are noted.
    """

    def __init__(self, app: ASGIApp, settings: GatewaySettings, keys: Keys, sessions: Sessions, audit: Audit) -> None:
        self.app, self.settings, self.keys, self.sessions, self.audit = app, settings, keys, sessions, audit
        self._rate, self._open = Rate(settings.requests_per_minute), Open(settings.open_requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 0

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        counted = ""
        try:
            self._check_host(headers)
            self._check_origin(scope, headers)
            caller = self._caller(scope, headers)
            scope["lorag_caller"] = caller
            who = caller.id if caller and caller is not LOCAL else _address(scope)
            self._rate.take(who)
            self._open.enter(who)
            counted = who
            # Questions wait in turn, a turn for each caller: whoever answers them must know whose this is.
            caller_id.set(who)
            await self.app(scope, self._limited(scope, headers, receive), guarded)
        except LoragError as error:
            if status:
                raise
            if error.reason is Reason.KEY_MISSING and wants_page(
                scope["method"], scope["path"], headers.get("accept", "")
            ):
                await RedirectResponse("/login", 303)(scope, receive, guarded)
            else:
                more = {"Retry-After": str(error.seconds)} if isinstance(error, TooMany) else {}
                more |= {"WWW-Authenticate": "Bearer"} if error.http_status == 401 else {}
                await error_response(scope["path"], error, headers=more)(scope, receive, guarded)
        finally:
            if counted:
                self._open.leave(counted)
            # A read that was asked for by POST (a search, an estimate) is no change.
            changes = scope.get("lorag_scope", KeyScope.WRITE) > KeyScope.READ
            if scope["method"] not in SAFE and changes:
                await asyncio.to_thread(self._note, scope, status)

    def _note(self, scope: Scope, status: int) -> None:
        caller = scope.get("lorag_caller") or Caller(_address(scope), "no key", KeyScope.READ)
        self.audit.write(
            caller=caller.id,
            name=caller.name,
            method=scope["method"],
            path=scope["path"],
            status=status,
            request_id=request_id.get(),
        )

    def _caller(self, scope: Scope, headers: Headers) -> Caller | None:
        if scope["path"].startswith(PUBLIC):
            return None
        if not self.settings.keys_required:
            return LOCAL
        return identify(headers, self.keys, self.sessions)

    def _check_host(self, headers: Headers) -> None:
        """Against DNS rebinding: where no key is asked for, another site's name must not lead here."""
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if self.settings.keys_required and not self.settings.allowed_hosts:
            return
        if not (is_loopback(host) or host in self.settings.allowed_hosts or host == self.settings.host):
            raise LoragError(Reason.HOST_REFUSED, "LoRAG does not answer to this host name.")

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        """Against CSRF: what changes something must come from this page, or from no page at all."""
        if scope["method"] in SAFE:
            return
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        same = origin is None or urlsplit(origin).netloc == headers.get("host")
        if not same or site not in ("same-origin", "none"):
            raise LoragError(Reason.ORIGIN_REFUSED, "Another site's page asked for this.")

    def _limited(self, scope: Scope, headers: Headers, receive: Receive) -> Receive:
        most = self.settings.max_upload_bytes if scope["path"] in UPLOADS else MOST_BODY_BYTES
        refused = LoragError(Reason.UPLOAD_TOO_LARGE, f"A body here has at most {most} bytes.", field="body")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > most:
            raise refused
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                raise refused
            return message

        return counted


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine and no other."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"
