"""Answers over the whole stack, and what cuts them off: callers that hang up, a model server that dies, a training."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from endless import make_endless
from stack import Up

from lorag.indexer.v1 import indexer_pb2, indexer_pb2_grpc
from lorag.qa.v1 import qa_pb2, qa_pb2_grpc
from lorag_common.gpu import gpu_held
from lorag_demo.documents import demo_questions

QUESTION = next(q for q in demo_questions() if q.language == "ja")
ENDLESS = "endless:v1"
CONTEXT, MOST = 4096, 3500
DOWN = ("MODEL_SERVER_UNAVAILABLE", "MODEL_SERVER_FAILED")


@pytest.fixture(scope="module")
def up(ready_up: Up) -> Up:
    ready_up.post("/releases/edge:v1:activate", {"force": True})
    make_endless(ready_up.models / "endless")
    body = {"model": "endless", "base_model": "endless", "base_only": True, "evaluate": False, "activate": False}
    job = ready_up.ended(ready_up.post("/pipelines", body)["job"])
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    return ready_up


@pytest.fixture
def qa(up: Up) -> Iterator[qa_pb2_grpc.QaServiceStub]:
    with grpc.insecure_channel(f"127.0.0.1:{up.ports['qa']}") as channel:
        yield qa_pb2_grpc.QaServiceStub(channel)


def next_turn(up: Up) -> float:
    """Seconds until the model server has one token for somebody else: it computes one generation of a model at a time."""
    started = time.monotonic()
    options = {"num_ctx": CONTEXT, "num_predict": 1}
    body = {"model": ENDLESS, "prompt": "a", "raw": True, "stream": False, "options": options}
    httpx.post(f"{up.model_server}/api/generate", json=body, timeout=120).raise_for_status()
    return time.monotonic() - started


def began(pieces: Iterator[Any], count: int = 24) -> float:
    """Read some pieces of an endless answer, more than come in one packet; seconds that a piece takes."""
    next(pieces)
    started = time.monotonic()
    for _ in range(count):
        next(pieces)
    return (time.monotonic() - started) / count


def texts(lines: Iterator[str]) -> Iterator[str]:
    return (line for line in lines if line.startswith("data:") and '"text"' in line and '"sources"' not in line)


def stops_at_once(up: Up, usual: float, a_piece: float, spent: float = 0.0) -> None:
    """Call it right after hanging up, `spent` seconds after the generation began."""
    took = next_turn(up)
    left = a_piece * MOST * 0.9 - spent
    allowed = 1 + 2 * usual
    assert left > 1.2 * allowed, "the generation would have ended by itself before one could tell"
    assert took < allowed, f"the model was free after {took:.1f} s; to the end it would have taken {left:.0f} s"


def test_a_client_that_hangs_up_on_the_gateway_stops_the_generation_within_a_second(up: Up) -> None:
    usual = max(next_turn(up), next_turn(up))
    body = {"question": QUESTION.text, "model": ENDLESS, "max_tokens": MOST, "temperature": 0, "top_k": 1}
    with up.http.stream("POST", "/answers", json=body) as answer:
        a_piece = began(texts(answer.iter_lines()))
    stops_at_once(up, usual, a_piece)


def test_a_client_that_cancels_its_grpc_call_stops_the_generation_within_a_second(
    up: Up, qa: qa_pb2_grpc.QaServiceStub
) -> None:
    usual = max(next_turn(up), next_turn(up))
    request = qa_pb2.AnswerRequest(question=QUESTION.text, model=ENDLESS, max_tokens=MOST, temperature=0.0, top_k=1)
    call = qa.Answer(request, timeout=120)
    a_piece = began(m for m in call if m.WhichOneof("event") == "text")
    call.cancel()
    stops_at_once(up, usual, a_piece)


@pytest.mark.parametrize("asked", ["plain chat", "chat with documents", "the model server itself"])
def test_who_gives_up_waiting_for_a_whole_answer_stops_the_generation_within_a_second(up: Up, asked: str) -> None:
    usual = max(next_turn(up), next_turn(up))
    body: dict[str, Any] = {"question": QUESTION.text, "model": ENDLESS, "max_tokens": 60, "temperature": 0, "top_k": 1}
    with up.http.stream("POST", "/answers", json=body) as answer:
        a_piece = began(texts(answer.iter_lines()))
    if asked == "the model server itself":
        url = f"{up.model_server}/api/generate"
        options = {"num_ctx": CONTEXT, "num_predict": MOST, "temperature": 0}
        body = {"model": ENDLESS, "prompt": "a", "raw": True, "stream": False, "options": options}
    else:
        url = f"{up.url}/v1/chat/completions"
        model = ENDLESS if asked == "plain chat" else f"{ENDLESS}+docs"
        messages = [{"role": "user", "content": QUESTION.text}]
        body = {"model": model, "messages": messages, "max_tokens": MOST, "temperature": 0}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url, json=body, timeout=httpx.Timeout(30, read=1))
    stops_at_once(up, usual, a_piece, spent=1.0)


def test_killing_the_model_server_mid_answer_is_a_clear_state_and_the_next_question_is_answered(up: Up) -> None:
    before, *_ = up.ask(QUESTION.text)
    assert QUESTION.value in before
    body = {"question": QUESTION.text, "model": ENDLESS, "max_tokens": MOST, "temperature": 0, "top_k": 1}
    events: list[str] = []
    with up.http.stream("POST", "/answers", json=body) as answer:
        lines = answer.iter_lines()
        began(texts(lines))
        up.service("runtime").send_signal(signal.SIGKILL)
        for line in lines:
            if line.startswith("event:"):
                events.append(line[6:].strip())
            elif line.startswith("data:") and events[-1:] == ["error"]:
                problem = json.loads(line[5:])
    assert events[-1] == "error" and "end" not in events, "a part is never passed off as the whole"
    assert problem["reason"] in DOWN and problem["remedy"], problem
    up.wait_healthy()
    assert up.ask(QUESTION.text)[0] == before


def test_while_a_training_holds_the_gpu_the_state_is_named_and_nothing_is_generated(up: Up) -> None:
    with gpu_held(up.data, "trainer-of-this-test"):
        refused = up.post("/answers", {"question": QUESTION.text}, 503)
    assert refused["reason"] == "GPU_BUSY" and refused["remedy"]
    assert "trainer-of-this-test" in refused["detail"]
    assert QUESTION.value in up.ask(QUESTION.text)[0]


def test_documents_that_do_not_say_are_an_answer_and_no_error(up: Up) -> None:
    file = up.data / "config" / "rag_config.yaml"
    before = file.read_bytes()
    # The vectors always find something that is nearest; keywords alone may find nothing.
    up.http.patch("/config", json={"vector_weight": 0}).raise_for_status()
    try:
        for question, words in (("麒麟麦酒？", "資料からは"), ("Xylophones?", "The documents do not answer")):
            text, sources, end = up.ask(question)
            assert (text, sources, end["answered"], end["finish_reason"]) == ("", [], False, "no_passage")
            assert end["refusal"].startswith(words)
            chat = {"model": "edge+docs", "messages": [{"role": "user", "content": question}]}
            answer = httpx.post(f"{up.url}/v1/chat/completions", json=chat, timeout=60).raise_for_status().json()
            assert answer["choices"][0]["message"]["content"].startswith(words)
    finally:
        file.write_bytes(before)


def test_a_citation_is_drawn_on_its_page_where_its_own_words_stand(up: Up) -> None:
    _, sources, end = up.ask(QUESTION.text)
    (sentence,) = [s for s in end["sentences"] if s["status"] == "SENTENCE_STATUS_SUPPORTED"]
    citation = sentence["citations"][0]
    assert (citation["document_name"], citation["page"]) == (QUESTION.document, QUESTION.page)
    assert QUESTION.value in citation["quote"]
    source = next(s for s in sources if s["number"] == citation["number"])
    assert source["boxes"] and len(citation["boxes"]) < len(source["boxes"]), "of two sentences one is cited"
    request = indexer_pb2.RenderPageRequest(
        document_id=citation["document_id"],
        page=citation["page"],
        span_start=citation["span_start"],
        span_end=citation["span_end"],
        width=600,
    )
    with grpc.insecure_channel(f"127.0.0.1:{up.ports['indexer']}") as channel:
        drawn = indexer_pb2_grpc.IndexerServiceStub(channel).RenderPage(request, timeout=60)
    for ours, theirs in zip(citation["boxes"], drawn.boxes, strict=True):
        for edge, value in ours.items():
            assert value == pytest.approx(getattr(theirs, edge), abs=0.01)


def test_a_release_is_activated_and_rolled_back_over_grpc(up: Up, qa: qa_pb2_grpc.QaServiceStub) -> None:
    before = qa.GetConfig(qa_pb2.GetConfigRequest()).config
    config = qa.ActivateRelease(qa_pb2.ActivateReleaseRequest(release_id=ENDLESS), timeout=60).config
    assert (config.model, config.history[0]) == (ENDLESS, before.model)
    with pytest.raises(grpc.RpcError) as error:
        qa.ActivateRelease(qa_pb2.ActivateReleaseRequest(release_id="nobody:v1"), timeout=60)
    assert error.value.code() is grpc.StatusCode.NOT_FOUND  # type: ignore[attr-defined]
    assert qa.RollbackRelease(qa_pb2.RollbackReleaseRequest(), timeout=60).config.model == before.model
