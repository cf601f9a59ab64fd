"""An answer: sources, text, one end; and what happens when the index or the model server does not play along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY_BASE
from qa_parts import STOP, Index, Server, model_server, passage, write_release

from lorag_common import rag_config
from lorag_common.errors import LoragError, Reason
from lorag_common.gpu import gpu_held, gpu_holder
from lorag_common.prompts import Passage, build_messages
from lorag_qa import releases
from lorag_qa.activation import Activation
from lorag_qa.answering import Answering, End, Question, Sources
from lorag_qa.checked import REFUSALS

QUESTION = "青森館の定員は何人ですか。"
FOUND = [passage(1, "青森館の定員は482人である。"), passage(2, "秋田館の定員は97人である。")]
ID, PLAIN = "tiny:v1", "llama3:8b"


NONCE = "0a1b2c3d"


@pytest.fixture(autouse=True)
def _known_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lorag_qa.prompt.new_nonce", lambda _: NONCE)


@pytest.fixture
def server() -> Iterator[Server]:
    with model_server(ID, PLAIN) as running:
        yield running


@pytest.fixture
def data(tmp_path: Path, server: Server) -> Path:
    write_release(tmp_path, ID, TINY_BASE)
    Activation(tmp_path, server.url).activate(ID)
    server.calls.clear()
    return tmp_path


def prompt_of(data: Path, count: int = 2) -> str:
    passages = [Passage(p.text, p.document, p.page) for p in FOUND[:count]]
    return releases.get(data, ID).template.render(build_messages(QUESTION, passages, NONCE))


def tokens_of(data: Path, count: int = 2) -> int:
    return releases.get(data, ID).count(prompt_of(data, count))


def generated(*pieces: str, evaluated: int | None, reason: str = "stop") -> list[dict[str, Any]]:
    head = {"model": ID, "done": False}
    end = {"model": ID, "response": "", "done": True, "done_reason": reason, "eval_count": len(pieces)}
    counts = {} if evaluated is None else {"prompt_eval_count": evaluated}
    return [*(head | {"response": p} for p in pieces), end | counts]


async def events(data: Path, index: Index, question: Question | str = QUESTION) -> list[Sources | str | End]:
    asked = Question(question) if isinstance(question, str) else question
    return [e async for e in Answering(data, "http://unused", index).answer(asked)]


async def reason_of(data: Path, index: Index, question: Question | str = QUESTION) -> Reason:
    with pytest.raises(LoragError) as error:
        await events(data, index, question)
    return error.value.reason


async def test_sources_then_text_then_one_end(data: Path, server: Server) -> None:
    sent = tokens_of(data)
    server.lines = generated("482人", "である。", "[1][9]", evaluated=sent, reason="length")
    sources, *text, end = await events(data, Index(FOUND))
    assert sources == Sources(tuple(FOUND), QUESTION)
    assert text == ["482人", "である。", "[1][9]"]
    assert isinstance(end, End)
    assert (end.model, end.tokens.sent, end.tokens.evaluated, end.tokens.answer) == (ID, sent, sent, 3)
    assert (end.cited, end.finish_reason) == ((1,), "length")
    assert 0 < end.first_token_seconds <= end.total_seconds


async def test_a_release_gets_its_finished_prompt_raw_with_its_stops(data: Path, server: Server) -> None:
    server.lines = generated("x", evaluated=None)
    await events(data, Index(FOUND), Question(QUESTION, temperature=0.0, max_tokens=40))
    (body,) = server.bodies("/api/generate")
    assert (body["model"], body["raw"], body["prompt"]) == (ID, True, prompt_of(data))
    assert body["options"] == {"num_ctx": 4096, "num_predict": 40, "temperature": 0.0, "stop": STOP}


async def test_a_model_without_a_release_gets_the_messages(data: Path, server: Server) -> None:
    head = {"model": PLAIN, "message": {"role": "assistant", "content": "97人[2]"}, "done": False}
    server.lines = [head, head | {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}]
    _, text, end = await events(data, Index(FOUND), Question(QUESTION, model=PLAIN))
    (body,) = server.bodies("/api/chat")
    passages = [Passage(p.text, p.document, p.page) for p in FOUND]
    assert body["messages"] == build_messages(QUESTION, passages, NONCE)
    assert text == "97人[2]"
    assert isinstance(end, End)
    assert (end.model, end.cited, end.tokens.evaluated) == (PLAIN, (2,), None)


async def test_a_model_without_a_release_gets_no_more_than_its_characters_allow(data: Path, server: Server) -> None:
    server.lines = [{"model": PLAIN, "message": {"role": "assistant", "content": "x"}, "done": True}]
    Activation(data, "").update({"llm.ollama.num_ctx": 256})
    long = [FOUND[0], passage(2, "あ" * 150)]
    sources, *_ = await events(data, Index(long), Question(QUESTION, model=PLAIN))
    assert isinstance(sources, Sources) and sources.passages == (FOUND[0],)


async def test_passages_that_do_not_fit_are_neither_sent_nor_shown(data: Path, server: Server) -> None:
    server.lines = generated("x", evaluated=None)
    room = tokens_of(data, 1)
    Activation(data, "").update({"llm.ollama.num_ctx": 256})
    question = Question(QUESTION, max_tokens=256 - room)
    sources, *_, end = await events(data, Index(FOUND), question)
    assert isinstance(sources, Sources) and sources.passages == (FOUND[0],)
    assert isinstance(end, End)
    assert end.tokens.sent == room
    assert server.bodies("/api/generate")[0]["prompt"] == prompt_of(data, 1)
    less_room = Question(QUESTION, max_tokens=256 - room + 1)
    assert await reason_of(data, Index(FOUND), less_room) is Reason.CONTEXT_OVERFLOW


async def test_asks_the_index_as_configured_unless_the_question_says_otherwise(data: Path, server: Server) -> None:
    server.lines = generated("x", evaluated=None)
    Activation(data, "").update({"retrieval.top_k": 1, "retrieval.vector_weight": 0.8})
    index = Index(FOUND)
    await events(data, index, f"  {QUESTION}\n")
    await events(data, index, Question(QUESTION, top_k=2, document_ids=("d",)))
    assert index.asked == [
        {"query": QUESTION, "top_k": 1, "vector_weight": 0.8, "ids": ()},
        {"query": QUESTION, "top_k": 2, "vector_weight": 0.8, "ids": ("d",)},
    ]


async def test_the_configuration_is_read_for_every_answer(data: Path, server: Server) -> None:
    answering = Answering(data, "", Index(FOUND))
    server.lines = generated("x", evaluated=None)
    assert [e async for e in answering.answer(Question(QUESTION))]
    with model_server(ID) as other:
        other.lines = generated("y", evaluated=None)
        Activation(data, "").update({"llm.ollama.base_url": other.url})
        assert "y" in [e async for e in answering.answer(Question(QUESTION))]


@pytest.mark.parametrize("question", ["", "  \n\t", "　"])
async def test_an_empty_question_is_refused_before_anything_is_asked(data: Path, question: str) -> None:
    index = Index(FOUND)
    assert await reason_of(data, index, question) is Reason.INVALID_FIELD
    assert not index.asked


async def test_without_an_active_release_one_must_be_named(tmp_path: Path, server: Server) -> None:
    assert await reason_of(tmp_path, Index(FOUND)) is Reason.NO_ACTIVE_RELEASE
    config = rag_config.RagConfig()
    config.llm.ollama.base_url = server.url
    rag_config.save(tmp_path, config)
    server.lines = [{"model": PLAIN, "message": {"role": "assistant", "content": "x"}, "done": True}]
    assert "x" in await events(tmp_path, Index(FOUND), Question(QUESTION, model=PLAIN))


async def test_an_error_of_the_index_is_the_answers_error(data: Path) -> None:
    empty = Index(error=LoragError(Reason.INDEX_EMPTY, "Nothing is indexed yet."))
    assert await reason_of(data, empty) is Reason.INDEX_EMPTY
    down = Index(error=LoragError(Reason.SERVICE_UNAVAILABLE, "The indexer service does not answer."))
    assert await reason_of(data, down) is Reason.SERVICE_UNAVAILABLE


@pytest.mark.parametrize(
    ("question", "refusal"),
    [("猫の好物は何ですか。", REFUSALS["ja"]), ("What do cats like to eat?", REFUSALS["en"])],
)
async def test_where_no_passage_fits_no_model_is_asked_and_the_answer_says_so_in_the_questions_language(
    data: Path, server: Server, question: str, refusal: str
) -> None:
    index = Index([], notices=("by keywords alone",))
    sources, end = await events(data, index, question)
    assert sources == Sources((), question, ("by keywords alone",))
    assert isinstance(end, End)
    assert (end.refusal, end.finish_reason, end.sentences, end.cited) == (refusal, "no_passage", (), ())
    assert (end.tokens.sent, end.tokens.answer) == (0, 0)
    assert not server.calls


async def test_while_a_training_holds_the_gpu_no_question_reaches_the_model_and_the_state_is_named(
    data: Path, server: Server
) -> None:
    server.lines = generated("482人です。[1]", evaluated=None)
    answering = Answering(data, "http://unused", Index(FOUND), gpu_holder=gpu_holder)
    with gpu_held(data, "trainer-7"):
        with pytest.raises(LoragError) as error:
            [e async for e in answering.answer(Question(QUESTION))]
        assert error.value.reason is Reason.GPU_BUSY
        assert "trainer-7" in error.value.message and error.value.remedy
        assert not server.calls
    assert [e async for e in answering.answer(Question(QUESTION))], "answers come again once the training is done"


async def test_a_model_that_is_not_on_the_server_is_named(data: Path, server: Server) -> None:
    server.models.clear()
    assert await reason_of(data, Index(FOUND)) is Reason.MODEL_NOT_FOUND


async def test_a_model_server_that_is_down_is_named(data: Path) -> None:
    with model_server() as gone:
        url = gone.url
    Activation(data, "").update({"llm.ollama.base_url": url})
    assert await reason_of(data, Index(FOUND)) is Reason.MODEL_SERVER_UNAVAILABLE


async def test_an_error_in_the_middle_of_the_stream_ends_the_answer_by_an_error(data: Path, server: Server) -> None:
    server.lines = [*generated("482", evaluated=None)[:-1], {"error": "llama runner process has terminated"}]
    assert await reason_of(data, Index(FOUND)) is Reason.MODEL_SERVER_FAILED
    assert len(server.bodies("/api/generate")) == 1, "what was shown in part must not be generated again"
    server.lines = [{"error": "model requires more system memory (20 GiB) than is available (8 GiB)"}]
    assert await reason_of(data, Index(FOUND)) is Reason.OUT_OF_MEMORY


async def test_a_prompt_that_the_server_cut_a_little_is_an_error(data: Path, server: Server) -> None:
    server.lines = generated("x", evaluated=tokens_of(data) - 1)
    assert await reason_of(data, Index(FOUND)) in (Reason.CONTEXT_OVERFLOW, Reason.MODEL_SERVER_FAILED)


async def test_a_count_of_less_than_half_is_a_prompt_caches_and_unknown(data: Path, server: Server) -> None:
    server.lines = generated("x", evaluated=tokens_of(data) // 3)
    *_, end = await events(data, Index(FOUND))
    assert end.tokens.evaluated is None


async def test_a_stream_without_its_end_is_an_error(data: Path, server: Server) -> None:
    server.lines = generated("482", evaluated=None)[:-1]
    assert await reason_of(data, Index(FOUND)) is Reason.MODEL_SERVER_FAILED


async def test_a_release_without_a_chat_template_is_never_sent_an_empty_prompt(data: Path, server: Server) -> None:
    write_release(data, "bare:v1", TINY_BASE, template="")
    server.models.add("bare:v1")
    server.lines = generated("x", evaluated=None)
    try:
        await events(data, Index(FOUND), Question(QUESTION, model="bare:v1"))
    except LoragError:
        return
    assert all(body["prompt"] for body in server.bodies("/api/generate"))


@pytest.mark.parametrize(
    "question",
    [
        pytest.param(Question(QUESTION, max_tokens=-1), id="max_tokens"),
        pytest.param(Question(QUESTION, top_k=-1), id="top_k"),
        pytest.param(Question(QUESTION, temperature=-1.0), id="temperature"),
    ],
)
async def test_numbers_out_of_range_are_refused(data: Path, server: Server, question: Question) -> None:
    server.lines = generated("x", evaluated=None)
    assert await reason_of(data, Index(FOUND), question) is Reason.INVALID_FIELD
