"""The edge: no route without a key, none with too small a key, no other site's page, nothing secret at rest."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from lorag_common.errors import LoragError
from lorag_gateway.access.audit import Audit
from lorag_gateway.access.caller import scope_of
from lorag_gateway.access.keys import Keys, Scope
from lorag_gateway.access.limits import Open, Rate, TooMany
from lorag_gateway.access.middleware import PUBLIC
from lorag_gateway.app import create_app
from lorag_gateway.settings import GatewaySettings

Route = tuple[str, str]
HOST = "http://127.0.0.1:8050"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """A gateway that asks for keys; its services do not run, and no request gets that far."""
    return create_app(GatewaySettings(data=tmp_path_factory.mktemp("data"), keys="required", requests_per_minute=0))


@pytest.fixture(scope="module")
def secrets(guarded: FastAPI) -> dict[str, str]:
    keys: Keys = guarded.state.keys
    return {scope.name.lower(): keys.create(scope.name, scope)[1] for scope in Scope}


@pytest.fixture
def http(guarded: FastAPI) -> TestClient:
    return TestClient(guarded, base_url=HOST, raise_server_exceptions=False, follow_redirects=False)


def every_route(app: FastAPI) -> Iterator[tuple[Route, object]]:
    for context in iter_route_contexts(app.routes):
        methods = getattr(context, "methods", None)
        assert methods or context.path == "/static", f"{context.path} is no route that this test knows"
        for method in methods or ():
            path = re.sub(r"\{job_id\}", "trainer-0", context.path)
            path = re.sub(r"\{page\}", "1", path)
            yield (method, re.sub(r"\{[^}]*\}", "x", path)), context.endpoint


def closed_routes(app: FastAPI) -> list[tuple[Route, object]]:
    return [(r, e) for r, e in every_route(app) if not r[1].startswith(PUBLIC)]


def test_every_route_but_the_named_ones_asks_for_a_key(guarded: FastAPI, http: TestClient) -> None:
    routes = closed_routes(guarded)
    assert len(routes) > 60
    open_routes = {r[1] for r, _ in every_route(guarded)} - {r[1] for r, _ in routes}
    assert open_routes == {"/login", "/livez", "/readyz"}
    for (method, path), _ in routes:
        for headers in (
            {},
            {"Authorization": "Bearer lorag_0_wrong"},
            {"Authorization": "Basic eA=="},
            {"X-API-Key": "x"},
        ):
            answer = http.request(method, path, headers=headers)
            assert answer.status_code == 401, (method, path, headers, answer.status_code)
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_every_route_refuses_a_scope_that_is_too_small(
    guarded: FastAPI, http: TestClient, secrets: dict[str, str]
) -> None:
    refused = 0
    for (method, path), endpoint in closed_routes(guarded):
        needed = scope_of(endpoint, method)
        for scope in Scope:
            if scope >= needed:
                continue
            answer = http.request(method, path, headers={"Authorization": f"Bearer {secrets[scope.name.lower()]}"})
            assert answer.status_code == 403, (method, path, scope, answer.status_code, answer.text)
            refused += 1
    assert refused > 25


def test_what_changes_something_needs_more_than_read(guarded: FastAPI) -> None:
    reads = {r for r, e in closed_routes(guarded) if r[0] != "GET" and scope_of(e, r[0]) is Scope.READ}
    asks = ("search", "answers", "estimate", "preview", "explain", "chat/completions", "embeddings", "/logout")
    # To stop one's own answer is no more than to have asked for it.
    assert all(path.endswith(asks) for method, path in reads if (method, path) != ("DELETE", "/api/v1/answers/x")), (
        reads
    )
    admin = {r[1] for r, e in closed_routes(guarded) if scope_of(e, r[0]) is Scope.ADMIN}
    assert admin == {"/api/v1/keys", "/api/v1/keys/x", "/api/v1/audit", "/api/v1/config"}


def test_a_large_enough_key_opens_by_either_header_and_by_session(http: TestClient, secrets: dict[str, str]) -> None:
    assert http.get("/api/v1/keys", headers={"Authorization": f"Bearer {secrets['admin']}"}).status_code == 200
    assert http.get("/api/v1/keys", headers={"X-API-Key": secrets["admin"]}).status_code == 200
    assert http.post("/login", data={"key": "lorag_0_wrong"}).status_code == 401
    signed = http.post("/login", data={"key": secrets["admin"]})
    assert (signed.status_code, signed.headers["location"]) == (303, "/")
    cookie = signed.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and secrets["admin"].lower() not in cookie
    assert http.get("/api/v1/keys").status_code == 200
    http.post("/logout")
    assert http.get("/api/v1/keys").status_code == 401


def test_a_page_without_a_key_leads_to_the_sign_in(http: TestClient) -> None:
    answer = http.get("/models", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert http.get("/login").status_code == 200


def test_revoking_ends_keys_and_sessions_at_once(guarded: FastAPI, http: TestClient, secrets: dict[str, str]) -> None:
    key, secret = guarded.state.keys.create("short", Scope.READ)
    http.post("/login", data={"key": secret})
    assert http.get("/api/v1/audit").status_code == 403
    revoked = http.delete(f"/api/v1/keys/{key.id}", headers={"Authorization": f"Bearer {secrets['admin']}"})
    assert revoked.status_code == 204
    assert http.get("/api/v1/audit").status_code == 401
    assert http.get("/api/v1/audit", headers={"Authorization": f"Bearer {secret}"}).status_code == 401


def test_only_hashes_are_kept_and_the_owner_alone_reads_them(tmp_path: Path) -> None:
    key, secret = Keys(tmp_path).create("a", Scope.WRITE)
    file = tmp_path / "state" / "api_keys.json"
    assert secret.rpartition("_")[2] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Keys(tmp_path).verify(secret) == key
    assert Keys(tmp_path).verify(secret[:-1]) is None


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def local(data: Path) -> TestClient:
    """A gateway on loopback, which asks for no key."""
    app = create_app(GatewaySettings(data=data, requests_per_minute=0))
    return TestClient(app, base_url=HOST, raise_server_exceptions=False, follow_redirects=False)


def test_keys_are_asked_for_as_soon_as_it_listens_beyond_loopback() -> None:
    for host, required in (("127.0.0.1", False), ("::1", False), ("localhost", False), ("0.0.0.0", True), ("::", True)):
        assert GatewaySettings(host=host).keys_required is required
    assert GatewaySettings(host="192.168.1.5", keys="off").keys_required is False


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "192.168.1.5"])
def test_another_host_name_is_refused(local: TestClient, host: str) -> None:
    answer = local.get("/api/v1/keys", headers={"Host": host})
    assert (answer.status_code, answer.json()["reason"]) == (421, "HOST_REFUSED")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_changes_nothing(local: TestClient, headers: dict[str, str]) -> None:
    before = local.get("/api/v1/keys").json()
    answer = local.post("/api/v1/keys", json={"name": "a"}, headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (403, "ORIGIN_REFUSED")
    assert local.get("/api/v1/keys").json() == before


def test_this_page_may(local: TestClient) -> None:
    headers = {"Origin": HOST, "Sec-Fetch-Site": "same-origin"}
    assert local.post("/api/v1/keys", json={"name": "a"}, headers=headers).status_code == 201


def test_every_response_carries_the_security_headers(local: TestClient) -> None:
    for path in ("/login", "/api/v1/keys", "/nowhere", "/static/app.css"):
        headers = local.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"


def test_a_body_that_is_too_large_is_refused_before_it_is_read(local: TestClient) -> None:
    answer = local.post("/api/v1/keys", content=b"x" * (5 << 20), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["reason"]) == (413, "UPLOAD_TOO_LARGE")

    def pieces() -> Iterator[bytes]:
        for _ in range(80):
            yield b" " * (64 << 10)

    answer = local.post("/api/v1/keys", content=pieces(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["reason"]) == (413, "UPLOAD_TOO_LARGE")


def test_errors_below_v1_have_that_apis_shape(http: TestClient) -> None:
    error = http.post("/v1/chat/completions", json={}).json()["error"]
    assert (error["type"], error["code"]) == ("authentication_error", "key_missing")


def test_changes_are_noted_and_reads_are_not(local: TestClient, data: Path) -> None:
    (data / "state" / "audit.jsonl").unlink(missing_ok=True)
    local.post("/api/v1/keys", json={"name": "noted", "scope": "read"})
    local.post("/api/v1/keys", json={"name": ""})
    local.get("/api/v1/keys")
    entries = local.get("/api/v1/audit").json()["entries"]
    assert [(e["method"], e["path"], e["status"]) for e in entries] == [
        ("POST", "/api/v1/keys", 400),
        ("POST", "/api/v1/keys", 201),
    ]
    text = (data / "state" / "audit.jsonl").read_text()
    assert "noted" not in text, "bodies are not kept"


def test_half_a_line_of_the_audit_log_is_left_out(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    audit.write(caller="c", name="n", method="POST", path="/p", status=200, request_id="r")
    with (tmp_path / "state" / "audit.jsonl").open("a") as f:
        f.write('{"time": "2026')
    assert [e["path"] for e in audit.read(10)] == ["/p"]


def test_one_caller_is_slowed_and_others_are_not(tmp_path: Path) -> None:
    app = create_app(GatewaySettings(data=tmp_path, requests_per_minute=3))
    client = TestClient(app, base_url=HOST)
    statuses = [client.get("/livez").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    answer = client.get("/livez")
    assert int(answer.headers["Retry-After"]) >= 1 and answer.json()["reason"] == "TOO_MANY_REQUESTS"
    rate = Rate(1)
    rate.take("a")
    rate.take("b")
    with pytest.raises(TooMany):
        rate.take("a")


def test_open_requests_are_counted_in_and_out() -> None:
    gate = Open(1)
    gate.enter("a")
    with pytest.raises(LoragError):
        gate.enter("a")
    gate.leave("a")
    gate.enter("a")


def test_no_error_of_the_edge_tells_a_path_or_a_stack(local: TestClient, data: Path) -> None:
    # The services do not run and the application was not started: an inner failure, as bad as it gets.
    answer = local.get("/api/v1/jobs")
    assert answer.status_code == 500
    assert str(data) not in answer.text and "Traceback" not in answer.text and ".py" not in answer.text
    assert json.loads(answer.text)["reason"] == "INTERNAL"
