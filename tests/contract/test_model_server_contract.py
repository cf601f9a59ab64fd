"""What the project asks of a model server, held against the embedded runtime and, where there is one, against Ollama."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import ollama
import pytest

from lorag_common.errors import LoragError, Reason
from lorag_common.model_server import AsyncModelServer, ModelServer

NAME = "lorag-contract:v1"
MESSAGES = [{"role": "user", "content": "青森館の定員は482人である。\n青森館の定員はいくつですか。"}]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture(scope="module")
def runtime_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    folder = tmp_path_factory.mktemp("runtime")
    env = os.environ | {"LORAG_PORT": str(port), "LORAG_DATA": str(folder), "LORAG_RUNTIME_THREADS": "2"}
    process = subprocess.Popen([sys.executable, "-m", "lorag_runtime"], env=env, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while not ModelServer(url).reachable():
        assert process.poll() is None, "the runtime ended"
        assert time.monotonic() < deadline, "the runtime did not start"
        time.sleep(0.1)
    yield url
    process.terminate()
    assert process.wait(20) in (0, -15)


@pytest.fixture(scope="module", params=["embedded", "ollama"])
def server(request: pytest.FixtureRequest, tiny_gguf: Path) -> Iterator[ModelServer]:
    if request.param == "ollama":
        if not (host := os.environ.get("OLLAMA_HOST")):
            pytest.skip("OLLAMA_HOST is not set: the contract of a real Ollama was not checked")
        model_server = ModelServer(host if "://" in host else f"http://{host}")
    else:
        model_server = ModelServer(request.getfixturevalue("runtime_url"))
    model_server.create_from_gguf(NAME, tiny_gguf, parameters={"stop": ["<|im_end|>"], "temperature": 0})
    yield model_server
    model_server.delete(NAME)


def test_lists_and_shows_what_was_created(server: ModelServer) -> None:
    assert NAME in server.list()
    shown = server.show(NAME)
    assert shown.details is not None
    assert (shown.details.format, shown.details.family) == ("gguf", "qwen2")
    assert shown.modelinfo is not None
    assert shown.modelinfo["general.architecture"] == "qwen2"
    assert "<|im_end|>" in str(shown.parameters)


def test_creating_again_sends_no_blob_again(server: ModelServer, tiny_gguf: Path) -> None:
    statuses: list[str] = []
    server.create_from_gguf(
        NAME, tiny_gguf, parameters={"stop": ["<|im_end|>"], "temperature": 0}, progress=statuses.append
    )
    assert statuses[-1] == "success"


def test_streams_chat_as_ollama_does(server: ModelServer) -> None:
    pieces = list(ollama.Client(server.url).chat(NAME, MESSAGES, stream=True))
    assert [p.done for p in pieces] == [False] * (len(pieces) - 1) + [True]
    text = "".join(p.message.content or "" for p in pieces)
    assert text == server.chat(NAME, MESSAGES).message.content
    assert text.strip()
    last = pieces[-1]
    assert last.done_reason in ("stop", "length")
    assert last.prompt_eval_count and last.eval_count
    assert last.total_duration and last.total_duration > 0


def test_chat_and_raw_prompt_are_the_same_tokens(server: ModelServer) -> None:
    prompt = f"<|im_start|>user\n{MESSAGES[0]['content']}<|im_end|>\n<|im_start|>assistant\n"
    raw, chat = server.generate(NAME, prompt, raw=True), server.chat(NAME, MESSAGES)
    assert raw.response == chat.message.content
    assert raw.prompt_eval_count == chat.prompt_eval_count


async def test_streams_raw_completions(server: ModelServer) -> None:
    prompt = f"<|im_start|>user\n{MESSAGES[0]['content']}<|im_end|>\n<|im_start|>assistant\n"
    pieces = [
        p async for p in AsyncModelServer(server.url).generate(NAME, prompt, raw=True, temperature=0, num_ctx=512)
    ]
    assert "�" not in "".join(p.response or "" for p in pieces)
    assert pieces[-1].done


async def test_many_questions_at_once_are_all_answered(server: ModelServer) -> None:
    async def ask(n: int) -> str:
        stream = AsyncModelServer(server.url).generate(
            NAME, f"{n}", raw=True, temperature=0, num_ctx=512, num_predict=8
        )
        pieces = [piece async for piece in stream]
        assert pieces[-1].done
        return "".join(p.response or "" for p in pieces)

    async with asyncio.timeout(120):
        together = await asyncio.gather(*(ask(n) for n in range(16)))
    assert together[3] == await ask(3), "each has its own answer"


def test_stops_at_a_stop_string_and_at_num_predict(server: ModelServer) -> None:
    # What the model says depends on the processor's arithmetic; that it stops before a string of its own does not.
    whole = str(server.chat(NAME, MESSAGES).message.content)
    stop = whole[len(whole) // 2 :][:2]
    stopped = str(server.chat(NAME, MESSAGES, stop=[stop, "<|im_end|>"]).message.content)
    assert stopped.strip() == whole[: whole.index(stop)].strip()
    short = server.chat(NAME, MESSAGES, num_predict=3)
    assert (short.eval_count, short.done_reason) == (3, "length")


def test_embeds_unit_vectors_of_one_dimension(server: ModelServer) -> None:
    first, second = server.embed(NAME, ["青森館の定員", "The capacity"])
    assert len(first) == len(second) == 256
    assert sum(x * x for x in first) == pytest.approx(1, abs=1e-4)
    assert first != pytest.approx(second, abs=1e-3)


def test_says_what_is_loaded_and_unloads(server: ModelServer) -> None:
    client = ollama.Client(server.url)
    client.generate(NAME, "a", options={"num_predict": 1})
    assert NAME in [m.model for m in client.ps().models]
    client.generate(NAME, keep_alive=0)
    deadline = time.monotonic() + 10
    while client.ps().models and time.monotonic() < deadline:
        time.sleep(0.1)
    assert NAME not in [m.model for m in client.ps().models]


def test_copies_and_deletes_names(server: ModelServer) -> None:
    server.copy(NAME, "lorag-contract")
    assert server.list()["lorag-contract:latest"] == server.list()[NAME]
    server.delete("lorag-contract")
    assert "lorag-contract:latest" not in server.list()
    assert server.chat(NAME, MESSAGES).message.content


@pytest.mark.parametrize("name", ["not-there:v9", "no+name"])
@pytest.mark.parametrize("call", ["show", "delete", "generate", "embed"])
def test_unknown_models_are_named(server: ModelServer, call: str, name: str) -> None:
    arguments = {"show": [], "delete": [], "generate": ["x"], "embed": [["x"]]}[call]
    with pytest.raises(LoragError) as error:
        getattr(server, call)(name, *arguments)
    assert error.value.reason is Reason.MODEL_NOT_FOUND
    assert name in error.value.message or "invalid model name" in error.value.message


def test_a_text_beyond_the_context_is_an_error_and_not_cut(server: ModelServer) -> None:
    with pytest.raises(LoragError):
        server.embed(NAME, ["word " * 5000])


def test_a_corrupt_blob_is_refused(server: ModelServer) -> None:
    digest = "sha256:" + "0" * 64
    answer = httpx.post(f"{server.url}/api/blobs/{digest}", content=b"other bytes")
    assert answer.status_code == 400
    assert httpx.head(f"{server.url}/api/blobs/{digest}").status_code == 404


def test_a_server_that_is_not_running_is_named_with_its_cure() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for call in (ModelServer(url).list, ModelServer(url).version):
        with pytest.raises(LoragError) as error:
            call()
        assert error.value.reason is Reason.MODEL_SERVER_UNAVAILABLE
        assert url in error.value.message
        assert "ollama serve" in error.value.remedy
    assert not ModelServer(url).reachable()
