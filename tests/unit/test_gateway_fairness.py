"""Questions of several people, through the gateway and gRPC: nobody's many hold up another's one, and too many are refused."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import grpc
import httpx
import pytest
from conftest import TINY_BASE
from qa_parts import Index, Server, model_server, passage, write_release

from lorag.qa.v1 import qa_pb2_grpc
from lorag_common.interceptors import ServerInterceptor
from lorag_gateway.access.keys import Keys, Scope
from lorag_gateway.app import create_app
from lorag_gateway.services import Services
from lorag_gateway.settings import GatewaySettings
from lorag_qa.activation import Activation
from lorag_qa.answering import Answering
from lorag_qa.servicer import QaServicer
from lorag_qa.turns import Turns

ID = "tiny:v1"
WAITING = 4


class Gated:
    """A model server that answers one question whenever it is let."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.let = threading.Semaphore(0)
        server.before_lines = lambda: cast(None, self.let.acquire(timeout=20))
        end = {"model": ID, "response": "", "done": True, "done_reason": "stop", "eval_count": 1}
        server.lines = [{"model": ID, "response": "482人です。", "done": False}, end]

    def asked(self) -> list[str]:
        """The questions that have reached the model, in order."""
        prompts = [body["prompt"] for body in self.server.bodies("/api/generate")]
        return [found[0] for prompt in prompts if (found := re.search(r"(?:many|one)-\d", prompt))]


@pytest.fixture
def gated() -> Iterator[Gated]:
    with model_server(ID) as server:
        yield Gated(server)


@pytest.fixture
def turns() -> Turns:
    return Turns(1, WAITING)


@pytest.fixture
async def gateway(tmp_path: Path, gated: Gated, turns: Turns) -> AsyncIterator[Callable[[str, str], Any]]:
    """Asks a question as somebody, by a key of theirs."""
    write_release(tmp_path, ID, TINY_BASE)
    activation = Activation(tmp_path, gated.server.url)
    activation.activate(ID)
    answering = Answering(tmp_path, gated.server.url, Index([passage(1, "青森館の定員は482人である。")]), turns)
    qa = grpc.aio.server(interceptors=[ServerInterceptor()])
    qa_pb2_grpc.add_QaServiceServicer_to_server(QaServicer(answering, activation, cast(Any, None)), qa)
    port = qa.add_insecure_port("127.0.0.1:0")
    await qa.start()
    settings = GatewaySettings(data=tmp_path, keys="required", requests_per_minute=0, qa_address=f"127.0.0.1:{port}")
    app = create_app(settings)
    app.state.services = Services(settings)
    keys: Keys = app.state.keys
    secrets = {name: keys.create(name, Scope.READ)[1] for name in ("many", "one")}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8050", timeout=30) as http:

        async def ask(who: str, question: str) -> httpx.Response:
            headers = {"Authorization": f"Bearer {secrets[who]}"}
            return await http.post("/api/v1/answers", json={"question": question}, headers=headers)

        yield ask
    await app.state.services.close()
    await qa.stop(None)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - the double is a thread that knows no event loop
            await asyncio.sleep(0.01)


async def test_a_caller_with_many_questions_does_not_hold_up_one_with_one(
    gateway: Callable[[str, str], Any], gated: Gated, turns: Turns
) -> None:
    asking = [asyncio.create_task(gateway("many", "many-1?"))]
    await until(lambda: gated.asked() == ["many-1"])
    for n, (who, question) in enumerate([("many", "many-2?"), ("many", "many-3?"), ("one", "one-1?")], start=1):
        asking.append(asyncio.create_task(gateway(who, question)))
        await until(lambda n=n: turns.waiting == n)  # type: ignore[misc]
    gated.let.release(len(asking))
    answers = await asyncio.gather(*asking)
    assert gated.asked() == ["many-1", "many-2", "one-1", "many-3"]
    assert all("event: end" in answer.text for answer in answers)


async def test_a_question_beyond_those_that_may_wait_is_refused_with_its_cure(
    gateway: Callable[[str, str], Any], gated: Gated, turns: Turns
) -> None:
    asking = [asyncio.create_task(gateway("many", "many-0?"))]
    await until(lambda: gated.asked() == ["many-0"])
    for n in range(1, WAITING + 1):
        asking.append(asyncio.create_task(gateway("many", f"many-{n}?")))
        await until(lambda n=n: turns.waiting == n)  # type: ignore[misc]
    refused = await gateway("one", "one-1?")
    assert (refused.status_code, refused.json()["reason"]) == (429, "TOO_MANY_QUESTIONS")
    assert refused.json()["remedy"]
    gated.let.release(len(asking))
    assert all(answer.status_code == 200 for answer in await asyncio.gather(*asking))
