"""Whether a sentence is in the passages: supported, contradicted, elsewhere, or no claim; with the place that says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lorag_qa.checked import Checker, Gate, refusal
from lorag_qa.search import Found
from lorag_qa.sentences import split_answer
from lorag_qa.verify import Evidence, Status

PASSAGES = (
    "青森館の定員は482人である。秋田館の定員は97人である。申請の期限は3月31日とする。",
    "The Morina museum opens on 11 March. The fee of room Zanbe is 3,500 yen. Smoking is not allowed in the hall.",
)
ROOT = Path(__file__).resolve().parents[2]


def status(sentence: str) -> Status:
    return Evidence(PASSAGES).check(sentence).status


@pytest.mark.parametrize(
    "sentence",
    [
        "青森館の定員は482人です。",
        "青森館の定員は４８２人です。",
        "定員は、青森館で482人です。",
        "申請の期限は3月31日です。",
        "The fee of room Zanbe is 3500 yen.",
        "Room Zanbe's fee is 3,500 yen.",
        "The Morina museum opens on 11 March.",
        "Smoking is not allowed in the hall.",
    ],
)
def test_what_a_passage_says_is_supported(sentence: str) -> None:
    assert status(sentence) is Status.SUPPORTED


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("青森館の定員は483人です。", "483"),
        ("秋田館の定員は482人です。", "482"),
        ("青森館の定員は482人ではありません。", "contrary"),
        ("The fee of room Zanbe is 3,600 yen.", "3600"),
        ("Smoking is allowed in the hall.", "contrary"),
    ],
)
def test_another_number_name_or_the_contrary_is_contradicted_and_says_how(sentence: str, why: str) -> None:
    found = Evidence(PASSAGES).check(sentence)
    assert found.status is Status.CONTRADICTED
    assert why in found.reason


@pytest.mark.parametrize("sentence", ["会議は毎週月曜日に開かれます。", "The library closes at noon."])
def test_what_no_passage_speaks_of_is_unsupported(sentence: str) -> None:
    assert status(sentence) is Status.UNSUPPORTED


@pytest.mark.parametrize(
    "sentence", ["資料には記載がありません。", "The passages do not say.", "I don't know.", "分かりません。", "……"]
)
def test_saying_that_the_documents_do_not_say_is_no_claim(sentence: str) -> None:
    assert status(sentence) is Status.NO_CLAIM


def test_kanji_numbers_count_as_digits() -> None:
    assert Evidence(["保証期間は二年である。"]).check("保証期間は2年です。").status is Status.SUPPORTED
    assert Evidence(["保証期間は十二年である。"]).check("保証期間は2年です。").status is not Status.SUPPORTED


def test_a_document_name_need_not_be_said_again_in_its_text() -> None:
    said = "オランダの首都はアムステルダムです。"
    passages = ["首都はアムステルダムである。公用語はオランダ語である。"]
    with_name, without = (Evidence(passages, titles).check(said) for titles in (["オランダ"], []))
    assert with_name.status is Status.SUPPORTED
    assert with_name.support > without.support


def test_an_answer_is_split_with_its_marks() -> None:
    answer = "定員は482人です。[1] 料金は3.5円です[2][3]。\nThe fee is 3.5 yen. [2] See Mr. Sato. Yes! [1]"
    assert [(s.text, s.marked) for s in split_answer(answer)] == [
        ("定員は482人です。", (1,)),
        ("料金は3.5円です。", (2, 3)),
        ("The fee is 3.5 yen.", (2,)),
        ("See Mr. Sato.", ()),
        ("Yes!", (1,)),
    ]
    assert all(answer[s.start : s.end].strip() for s in split_answer(answer))


def found(text: str, page: int, start: int) -> Found:
    return Found("d" * 64, "館の案内.pdf", page, (start, start + len(text)), text, 1.0)


SOURCES = (found(PASSAGES[0], 4, 100), found(PASSAGES[1], 9, 7))


def test_a_citation_leads_to_the_sentence_on_its_page() -> None:
    (piece,) = split_answer("秋田館の定員は97人です。[2]")
    sentence = Checker(SOURCES).check(piece, strict=False)
    best = sentence.citations[0]
    start = PASSAGES[0].index("秋田館")
    assert (best.number, best.page, best.quote) == (1, 4, "秋田館の定員は97人である。")
    assert best.span == (100 + start, 100 + start + len(best.quote))
    assert sentence.marked == (2,), "the model's own mark is kept beside it, right or wrong"


def shown(answer: str, *, strict: bool, size: int) -> tuple[str, Gate]:
    gate = Gate(Checker(SOURCES), strict=strict)
    text = "".join(gate.add(answer[i : i + size]) for i in range(0, len(answer), size))
    return text + gate.finish(), gate


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_strict_mode_shows_supported_sentences_alone_however_the_pieces_fall(size: int) -> None:
    answer = "青森館の定員は482人です。[1]秋田館の定員は99人です。[1]申請の期限は3月31日です。[1]"
    text, gate = shown(answer, strict=True, size=size)
    assert text == "青森館の定員は482人です。[1]申請の期限は3月31日です。[1]"
    assert [s.withheld for s in gate.sentences] == [False, True, False]
    text, gate = shown(answer, strict=False, size=size)
    assert text == answer
    assert [s.status for s in gate.sentences] == [Status.SUPPORTED, Status.CONTRADICTED, Status.SUPPORTED]


def test_when_nothing_is_supported_it_says_so_in_the_questions_language() -> None:
    _, gate = shown("The library closes at noon.", strict=True, size=4)
    assert "documents" in refusal("When does it close?", gate.sentences)
    assert "資料" in refusal("いつ閉まりますか。", gate.sentences)
    _, gate = shown("青森館の定員は482人です。", strict=True, size=4)
    assert refusal("定員は？", gate.sentences) == ""


@pytest.mark.skipif(not os.environ.get("LORAG_JSQUAD"), reason="LORAG_JSQUAD is not set: citations were not measured")
def test_precision_and_recall_on_jsquad() -> None:
    command = [sys.executable, "-m", "bench.citations", "--data", os.environ["LORAG_JSQUAD"]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["sentences"] >= 200
    assert report["precision"] >= 0.9
    assert report["recall"] >= 0.8
