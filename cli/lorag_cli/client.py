"""The gateway's HTTP API, seen from a program: JSON in and out, event streams as iterators, problems as errors."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

DEFAULT_URL = "http://127.0.0.1:8050"
API = "/api/v1"
TIMEOUT = httpx.Timeout(150.0, connect=5.0)
# The gateway sends a comment every 15 s, so a stream that is silent for longer is dead.
STREAM_TIMEOUT = httpx.Timeout(120.0, connect=5.0)
RECONNECTS = 30
# How long an answer waits for a reader that has lost its connection.
KEEP_SECONDS = 60
PAGE_SIZE = 200
RECONNECT_SECONDS = 1.0
FINAL = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")
RETRYABLE = ("SERVICE_UNAVAILABLE", "DEADLINE", "CANCELLED")


class CliError(Exception):
    """What a person is told: a message, a remedy, and the exit code (1 failed, 2 usage, 3 not reachable, 4 not allowed)."""

    def __init__(self, message: str, remedy: str = "", *, reason: str = "", code: int = 1) -> None:
        super().__init__(message)
        self.message, self.remedy, self.reason, self.code = message, remedy, reason, code


class Client:
    """One gateway; LORAG_API_KEY is sent along where it is set.

    Args:
        url: its address; LORAG_GATEWAY_URL or the default when not given.
        transport: for tests.
    """

    def __init__(self, url: str | None = None, transport: httpx.BaseTransport | None = None) -> None:
        self.url = (url or os.environ.get("LORAG_GATEWAY_URL") or DEFAULT_URL).rstrip("/")
        # A proxy from the environment has no business between a person and a gateway on the same machine.
        key = os.environ.get("LORAG_API_KEY", "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(
            base_url=self.url + API, timeout=TIMEOUT, transport=transport, trust_env=False, headers=headers
        )

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """GET a resource."""
        return self._send("GET", path, params=params)

    def text(self, path: str) -> str:
        """GET a text."""
        return self._answer("GET", path).text

    def every(self, path: str, key: str, limit: int = 0, **params: Any) -> dict[str, Any]:
        """GET a list to its last page, or its first `limit` rows; all rows under `key`, the rest as the last page has it."""
        rows: list[Any] = []
        token = ""
        while True:
            size = min(limit - len(rows), PAGE_SIZE) if limit else PAGE_SIZE
            found = self.get(path, page_size=size, page_token=token, **params)
            rows += found[key]
            token = found["next_page_token"]
            if not token or len(rows) == limit:
                return found | {key: rows}

    def post(self, path: str, body: Any = None, *, key: str = "") -> dict[str, Any]:
        """POST a body; `key` makes it safe to repeat."""
        return self._send("POST", path, json=body, headers={"Idempotency-Key": key} if key else {})

    def patch(self, path: str, body: Any) -> dict[str, Any]:
        """PATCH a resource."""
        return self._send("PATCH", path, json=body)

    def delete(self, path: str) -> None:
        """DELETE a resource."""
        self._send("DELETE", path)

    def upload(self, path: str, file: Path) -> dict[str, Any]:
        """Send a file, read as it goes."""
        try:
            with file.open("rb") as f:
                return self._send("POST", path, files={"file": (file.name, f)}, timeout=None)
        except OSError as error:
            raise CliError(f"{file} cannot be read: {error.strerror}.", "Give the path of a readable file.") from error

    def events(self, method: str, path: str, body: Any = None) -> Iterator[tuple[str, Any]]:
        """Server-sent events as (event, data); an `error` event is raised.

        Raises:
            CliError: a problem, or the gateway went away.
        """
        for name, data, _, _ in self._stream(method, path, body):
            yield name, data

    def answer(self, body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """The events of an answer; a connection that is lost is taken up again where it broke off.

        Raises:
            CliError: a problem, or the gateway stayed away.
        """
        answer_id, last, failures, ended = "", 0, 0, False
        try:
            while not ended:
                try:
                    if answer_id:
                        came = self._stream("GET", f"/answers/{answer_id}/events", None, {"Last-Event-ID": str(last)})
                    else:
                        came = self._stream("POST", "/answers", body | {"keep_seconds": KEEP_SECONDS})
                    for name, data, number, kept in came:
                        last, answer_id, failures, ended = number, kept, 0, name == "end"
                        yield name, data
                except CliError as error:
                    if error.code != 3 or not answer_id or failures >= RECONNECTS:
                        raise
                if not ended:
                    failures += 1
                    time.sleep(RECONNECT_SECONDS)
        finally:
            if answer_id and not ended:
                with contextlib.suppress(CliError):
                    self.delete(f"/answers/{answer_id}")

    def _stream(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Iterator[tuple[str, Any, int, str]]:
        """Name, data and number of each event, and the id under which an answer is kept."""
        try:
            with self._http.stream(method, path, json=body, headers=headers, timeout=STREAM_TIMEOUT) as response:
                if response.is_error:
                    response.read()
                    raise _problem(response)
                name, number = "", 0
                for line in response.iter_lines():
                    if line.startswith("id: "):
                        number = int(line[4:])
                    elif line.startswith("event: "):
                        name = line[7:]
                    elif line.startswith("data: "):
                        data = json.loads(line[6:])
                        if name == "error":
                            raise _error_of(data)
                        yield name, data, number, response.headers.get("Answer-Id", "")
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error

    def watch(self, job_id: str) -> Iterator[dict[str, Any]]:
        """The job after every change, last in a final state; reconnects while a service restarts."""
        failures = 0
        while True:
            try:
                for _, job in self.events("GET", f"/jobs/{job_id}/events"):
                    failures = 0
                    yield job
                    if job["state"] in FINAL:
                        return
            except CliError as error:
                failures += 1
                if failures > RECONNECTS or (error.code != 3 and error.reason not in RETRYABLE):
                    raise
                time.sleep(RECONNECT_SECONDS)

    def _send(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        response = self._answer(method, path, **request)
        return dict(response.json()) if response.content else {}

    def _answer(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **request)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error
        if response.is_error:
            raise _problem(response)
        return response

    def _unreachable(self, error: Exception) -> CliError:
        return CliError(
            f"The gateway at {self.url} does not answer ({type(error).__name__}).",
            "Start it with `lorag up`, or set LORAG_GATEWAY_URL.",
            code=3,
        )


def failed(job: dict[str, Any]) -> CliError | None:
    """The error of a job that ended badly."""
    if job["state"] == "JOB_STATE_CANCELLED":
        return CliError(f"The job {job['id']} was cancelled.", "Start it again if it was not meant.")
    if job["state"] == "JOB_STATE_FAILED":
        error = job.get("error") or {}
        return CliError(
            error.get("message", "The job failed."), error.get("remedy", ""), reason=error.get("reason", "")
        )
    return None


def _problem(response: httpx.Response) -> CliError:
    try:
        return _error_of(response.json())
    except (ValueError, KeyError, TypeError):
        return CliError(f"The server answered with HTTP {response.status_code}.", "Is LORAG_GATEWAY_URL the gateway's?")


def _error_of(problem: dict[str, Any]) -> CliError:
    code = {"SERVICE_UNAVAILABLE": 3, "KEY_MISSING": 4, "KEY_WRONG": 4, "SCOPE_TOO_SMALL": 4}.get(
        problem.get("reason", ""), 1
    )
    return CliError(problem["detail"], problem.get("remedy", ""), reason=problem.get("reason", ""), code=code)
