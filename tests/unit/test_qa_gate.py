"""The release gate's parts: questions made from documents, scores of answers, and when a difference is more than chance."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY_BASE
from qa_parts import Index, passage, write_release

from lorag_common.artifacts import write_json
from lorag_common.errors import LoragError, Reason
from lorag_qa import evaluate_job, evaluations, scoring
from lorag_qa.activation import Activation
from lorag_qa.questions import PageText, TestQuestion, answers_it, make_questions
from lorag_qa.scoring import Answered


def page(text: str, document: str = "d", number: int = 1) -> PageText:
    return PageText(document, number, text)


def made(text: str, count: int = 10) -> dict[str, tuple[str, ...]]:
    return {q.text: q.expected or q.withheld for q in make_questions([page(text)], count)}


@pytest.mark.parametrize(
    ("sentence", "question", "expected"),
    [
        ("青木会議室の定員は482人である。", "青木会議室の定員は何ですか。", "482人"),
        ("保証期間は五年です。", "保証期間は何ですか。", "五年"),
        ("担当は総務部だ。", "担当は何ですか。", "総務部"),
        ("The capacity of Room Zanbel is 482.", "What is the capacity of Room Zanbel?", "482"),
        ("Fees were 300 yen.", "What were Fees?", "300 yen"),
    ],
)
def test_a_sentence_that_says_what_something_is_becomes_a_question_for_it(
    sentence: str, question: str, expected: str
) -> None:
    assert made(sentence) == {question: (expected,)}


@pytest.mark.parametrize(
    ("sentence", "gap", "expected"),
    [
        ("申請は、出張の日から14日以内に行う。", "＿＿以内に行う。」", "14日"),
        ("Applications must reach us within 14 days.", "within ＿＿", "14 days"),
    ],
)
def test_a_sentence_with_a_number_becomes_one_with_a_gap(sentence: str, gap: str, expected: str) -> None:
    ((question, answer),) = made(sentence).items()
    assert gap in question and answer == (expected,)
    assert expected not in question, "the question would give its answer away"


@pytest.mark.parametrize(
    "sentence",
    [
        "これは規則である。",
        "It is a rule.",
        "The door is not open.",
        "詳しくは係の者に聞くこと。",
        "Ask the clerk.",
        f"{'長' * 130}3日。",
    ],
)
def test_a_sentence_that_means_nothing_alone_or_asks_for_nothing_becomes_none(sentence: str) -> None:
    assert made(sentence) == {}


def test_lines_of_one_sentence_are_read_together_and_headings_are_not_asked_for() -> None:
    assert made("第二章 会議室\n\n青木会議室の定員は\n482人である。") == {"青木会議室の定員は何ですか。": ("482人",)}


def test_what_is_said_twice_of_one_thing_may_be_answered_either_way() -> None:
    assert made("定員は3人である。\n定員は4人である。") == {"定員は何ですか。": ("3人", "4人")}


def facts(document: str, count: int) -> list[PageText]:
    return [page(f"{document}会議室{n}の定員は{100 + n}人である。", document, n) for n in range(1, count + 1)]


def test_documents_take_turns_and_the_same_documents_give_the_same_questions() -> None:
    pages = [*facts("a", 20), *facts("b", 20), *facts("c", 2)]
    chosen = make_questions(pages, 12)
    assert chosen == make_questions(pages, 12)
    counts = {d: sum(f"{d}会議室" in q.text for q in chosen) for d in "abc"}
    assert counts == {"a": 5, "b": 5, "c": 2}
    named = {(q.document_id, q.page) for q in chosen if q.expected}
    assert named and all(q.text.startswith(f"{q.document_id}会議室{q.page}の") for q in chosen if q.expected)


def test_a_quarter_is_asked_with_its_answer_kept_back() -> None:
    chosen = make_questions(facts("a", 40), 24)
    kept_back = [q for q in chosen if q.withheld]
    assert (len(chosen), len(kept_back)) == (24, 6)
    assert all(not q.expected for q in kept_back), "the right answer is that the documents do not say"


def test_questions_with_a_gap_come_only_where_there_are_too_few_others() -> None:
    pages = [*facts("a", 3), page("申請は、出張の日から14日以内に行う。", "a", 9)]
    assert not any("＿＿" in q.text for q in make_questions(pages, 3))
    assert any("＿＿" in q.text for q in make_questions(pages, 4))


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("定員は482人です。[1]", True),
        ("定員は４８２ 人です。", True),
        ("定員は48人です。", False),
        ("", False),
    ],
)
def test_an_answer_is_right_when_it_holds_an_expected_text_width_and_space_apart(text: str, right: bool) -> None:
    assert answers_it(text, ["482人"]) is right


QUESTION = TestQuestion("定員は何人ですか。", ("482人",), "d", 2)
SOURCES = (("d", 1, "定員は482人である。"), ("d", 2, "定員は482人である。"))


def answered(
    text: str = "482人です。", cited: Sequence[int] = (), *, refused: bool = False, seconds: float = 1.0
) -> Answered:
    return Answered(text, SOURCES, tuple(cited), refused, 1, 1, seconds / 2, seconds)


@pytest.mark.parametrize(
    ("given", "correctness", "precision", "recall"),
    [
        (answered(cited=[2]), 1.0, 1.0, 1.0),
        (answered(cited=[1, 2]), 1.0, 0.5, 1.0),
        (answered(cited=[1]), 1.0, 0.0, 0.0),
        (answered(cited=[]), 1.0, 0.0, 0.0),
        (answered("97人です。", [2]), 0.0, 1.0, 1.0),
    ],
)
def test_correctness_and_citations_are_scored_apart(
    given: Answered, correctness: float, precision: float, recall: float
) -> None:
    score = scoring.score(QUESTION, given)
    assert (score.correctness, score.precision, score.recall) == (correctness, precision, recall)


def test_without_a_named_page_a_citation_is_right_wherever_the_expected_text_stands() -> None:
    anywhere = TestQuestion(QUESTION.text, ("482人",))
    assert scoring.score(anywhere, answered(cited=[1])).precision == 1.0
    assert scoring.score(TestQuestion(QUESTION.text, ("97人",)), answered(cited=[1])).precision == 0.0
    other = TestQuestion(QUESTION.text, ("482人",), "other")
    assert scoring.score(other, answered(cited=[1])).precision == 0.0


def test_where_the_documents_do_not_say_refusing_is_right_and_answering_is_wrong() -> None:
    unanswerable = TestQuestion(QUESTION.text)
    assert scoring.score(unanswerable, answered(refused=True)) == scoring.Score(1.0, None, None)
    assert scoring.score(unanswerable, answered(refused=False)) == scoring.Score(0.0, None, None)


def test_quality_is_the_mean_over_the_questions_and_latency_its_percentiles() -> None:
    questions = [QUESTION, QUESTION, TestQuestion("x"), TestQuestion("y")]
    given = [answered(cited=[2], seconds=1), answered("?", [1], seconds=2), answered(refused=True, seconds=3)]
    given.append(answered(refused=False, seconds=9))
    found = scoring.quality("m:v1", questions, given)
    assert (found["correctness"], found["citation_precision"], found["citation_recall"]) == (0.5, 0.5, 0.5)
    assert (found["refusal"], found["supported"]) == (0.5, 1.0)
    assert (found["first_token_p50"], found["total_p50"], found["total_p95"]) == (1.25, 2.5, 9)


RIGHT, WRONG = answered(cited=[2]), answered("?", [1])


@pytest.mark.parametrize(
    ("candidate", "baseline", "verdict"),
    [
        ([WRONG] * 12, [RIGHT] * 12, "WORSE"),
        ([RIGHT] * 12, [WRONG] * 12, "BETTER"),
        ([RIGHT] * 12, [RIGHT] * 12, "NO_DIFFERENCE"),
        # Two of twelve are lost: that may be chance, and a release is not refused by chance.
        ([WRONG] * 2 + [RIGHT] * 10, [RIGHT] * 12, "NO_DIFFERENCE"),
        ([WRONG] * 6 + [RIGHT] * 6, [RIGHT] * 12, "WORSE"),
        # As many won as lost.
        ([WRONG] * 6 + [RIGHT] * 6, [RIGHT] * 6 + [WRONG] * 6, "NO_DIFFERENCE"),
        # As right as before, but it no longer says where it stands.
        ([answered(cited=[])] * 12, [RIGHT] * 12, "WORSE"),
    ],
)
def test_worse_means_that_an_interval_lies_wholly_below_zero(
    candidate: list[Answered], baseline: list[Answered], verdict: str
) -> None:
    found = scoring.differences([QUESTION] * 12, candidate, baseline)
    assert [d["score"] for d in found] == ["correctness", "citations"]
    assert all(d["low"] <= d["mean"] <= d["high"] for d in found)
    assert scoring.verdict(found) == verdict


def test_the_bootstrap_is_paired_and_its_interval_is_the_one_of_theory() -> None:
    # 100 differences, of which 30 are -1: mean -0.3, standard error sqrt(0.3 * 0.7 / 100) = 0.0458.
    candidate, baseline = [WRONG] * 30 + [RIGHT] * 70, [RIGHT] * 100
    (difference, *_) = scoring.differences([QUESTION] * 100, candidate, baseline)
    assert difference["mean"] == -0.3
    assert difference["low"] == pytest.approx(-0.3 - 1.96 * 0.0458, abs=0.015)
    assert difference["high"] == pytest.approx(-0.3 + 1.96 * 0.0458, abs=0.015)


def test_nothing_asked_is_nothing_compared() -> None:
    assert scoring.verdict(scoring.differences([], [], [])) == "NOT_COMPARED"


async def test_the_passages_that_answer_are_kept_back_and_others_take_their_place() -> None:
    passages = [passage(n, "定員は482人である。" if n % 2 else f"{n}番の部屋は広い。") for n in range(1, 9)]
    without = evaluate_job._Without(Index(passages), ["482 人"])
    found = await without.search("定員", top_k=2, vector_weight=None, document_ids=())
    assert [f.text for f in found.passages] == ["2番の部屋は広い。", "4番の部屋は広い。"]


class Child:
    """What the gate's job needs of its child process, over given answers."""

    def __init__(self, data: Path, spec: dict[str, Any], replies: dict[str, list[Any]]) -> None:
        self.data, self.spec = data, spec
        self.folder = data / "jobs" / "qa-1"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.reports: list[tuple[str, str]] = []
        self.asked: list[tuple[str, str]] = []
        self._replies = {model: iter(found) for model, found in replies.items()}

    def report(self, stage: str, completed: int, total: int, message: str = "") -> None:
        self.reports.append((stage, message))

    def stop_requested(self) -> bool:
        return False

    async def ask(self, model: str, question: TestQuestion) -> Answered:
        reply = next(self._replies[model])
        if isinstance(reply, LoragError):
            raise reply
        self.asked.append((model, question.text))
        return reply  # type: ignore[no-any-return]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("tiny:v1", "tiny:v2"):
        write_release(tmp_path, name, TINY_BASE)
    return tmp_path


def spec(count: int = 12) -> dict[str, Any]:
    questions = [TestQuestion(f"{n}?", ("482人",), "d", 2).as_dict() for n in range(count)]
    return {"release_id": "tiny:v2", "baseline": "tiny:v1", "questions": questions, "default_url": "http://127.0.0.1:9"}


async def run(child: Child, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(evaluate_job, "WAIT_SECONDS", 0.01)
    gate = evaluate_job._Gate(child, None)  # type: ignore[arg-type]
    monkeypatch.setattr(gate, "_ask", child.ask)
    await gate.run()
    return json.loads(evaluations.path_of(child.data, "tiny:v2").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


async def test_the_comparison_is_kept_beside_the_release_with_every_answer(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await run(Child(data, spec(), {"tiny:v2": [WRONG] * 12, "tiny:v1": [RIGHT] * 12}), monkeypatch)
    assert (found["verdict"], found["baseline"], found["question_count"]) == ("WORSE", "tiny:v1", 12)
    assert "is worse than 'tiny:v1' over 12 questions: correctness -1.00" in found["summary"]
    first = found["questions"][0]["answers"]
    assert (first["tiny:v2"]["score"]["correctness"], first["tiny:v1"]["score"]["correctness"]) == (0.0, 1.0)
    with pytest.raises(LoragError) as error:
        Activation(data, "http://127.0.0.1:9").activate("tiny:v2")
    assert error.value.reason is Reason.RELEASE_WORSE and found["summary"] == error.value.message


async def test_while_the_model_server_is_away_the_gate_says_so_waits_and_asks_that_question_again(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = LoragError(Reason.MODEL_SERVER_UNAVAILABLE, "The model server at http://x is not running.")
    replies = {"tiny:v2": [RIGHT, away, away, *[RIGHT] * 11], "tiny:v1": [RIGHT] * 12}
    child = Child(data, spec(), replies)
    assert (await run(child, monkeypatch))["verdict"] == "NO_DIFFERENCE"
    waited = [message for stage, message in child.reports if stage == "waiting"]
    assert len(waited) == 2 and "ollama serve" in waited[0]
    assert [q for m, q in child.asked if m == "tiny:v2"] == [f"{n}?" for n in range(12)]


async def test_after_a_kill_no_question_is_asked_twice_and_half_a_line_is_none(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = LoragError(Reason.CONFIG_INVALID, "killed here")
    first = Child(data, spec(), {"tiny:v2": [WRONG, WRONG, broken]})
    with pytest.raises(LoragError):
        await run(first, monkeypatch)
    with (first.folder / "answers-0.jsonl").open("a", encoding="utf-8") as f:
        f.write('{"text": "half a li')
    second = Child(data, spec(), {"tiny:v2": [WRONG] * 10, "tiny:v1": [RIGHT] * 12})
    assert (await run(second, monkeypatch))["question_count"] == 12
    assert [q for m, q in second.asked if m == "tiny:v2"] == [f"{n}?" for n in range(2, 12)]


async def test_a_server_that_fails_at_one_question_again_and_again_ends_the_gate(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = itertools.repeat(LoragError(Reason.MODEL_SERVER_FAILED, "it says: broken"))
    child = Child(data, spec(), {"tiny:v2": failing})  # type: ignore[dict-item]
    with pytest.raises(LoragError) as error:
        await run(child, monkeypatch)
    assert error.value.reason is Reason.MODEL_SERVER_FAILED
    assert not evaluations.path_of(data, "tiny:v2").exists(), "half a comparison is none"


async def test_the_baseline_is_what_was_active_when_the_job_began(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child(data, spec() | {"baseline": ""}, {"tiny:v2": [RIGHT] * 12, "tiny:v1": [RIGHT] * 12})
    # The job was killed, and in the meantime the release itself was activated.
    write_json(child.folder / "baseline.json", "tiny:v1")
    assert (await run(child, monkeypatch))["baseline"] == "tiny:v1"
