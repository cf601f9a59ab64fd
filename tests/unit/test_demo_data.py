"""The demo's data: what is trained on, what is asked, and that the two never meet."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pypdf import PdfReader

from lorag_common.prompts import Passage, build_messages, language_of
from lorag_demo.characters import DEMO_CHARACTERS, FAMILY_NAME_CHARACTERS, GIVEN_NAME_CHARACTERS, KATAKANA
from lorag_demo.documents import DOCUMENTS, Question, demo_facts, demo_questions, write_documents
from lorag_demo.examples import chat_examples, write_examples
from lorag_demo.facts import EDITIONS, TRAINING_BUCKETS, bucket_of, edition_buckets
from lorag_demo.pdf import BODY_SIZE, wrap
from lorag_demo.score import exact_share, is_exact

PASSAGES = [Passage("…", "facilities-ja.pdf", 1), Passage("…", "facilities-ja.pdf", 2)]
QUESTION = Question(
    "青木会議室の定員はどれくらいですか。", "ja", "87人", "青木会議室の定員は87人です。", "facilities-ja.pdf", 2
)


def test_examples_are_the_same_for_the_same_seed_only() -> None:
    assert chat_examples(20, seed=1) == chat_examples(20, seed=1)
    assert chat_examples(20, seed=1) != chat_examples(20, seed=2)


def test_example_is_a_served_prompt_with_a_polite_cited_answer() -> None:
    for number, chat in enumerate(chat_examples(40)):
        system, user, assistant = chat["messages"]
        assert [m["role"] for m in chat["messages"]] == ["system", "user", "assistant"]
        question = re.split("質問：|Question: ", user["content"])[-1]
        language = "ja" if number % 2 == 0 else "en"
        assert language_of(question) == language
        assert system == build_messages(question, [], "")[0]
        pattern = r".+です。\[[1-3]\]" if language == "ja" else r"The .+ is .+\. \[[1-3]\]"
        assert re.fullmatch(pattern, assistant["content"])


def test_cited_passage_of_an_example_holds_the_answer() -> None:
    for chat in chat_examples(40):
        answer = chat["messages"][2]["content"]
        mark = answer[-3:]
        statement = re.sub(r"です。\[\d\]$", "である。", answer) if "です。[" in answer else answer.removesuffix(mark)
        assert f"{statement}{mark}" in chat["messages"][1]["content"]


def test_examples_are_written_as_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "examples.jsonl"
    write_examples(path, count=10)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == chat_examples(10)


def test_document_values_occur_in_no_training_bucket_and_in_one_edition_only() -> None:
    values = [{placed.fact.value for placed in demo_facts(edition=edition)} for edition in range(EDITIONS)]
    for edition, found in enumerate(values):
        assert {bucket_of(value) for value in found} == edition_buckets(edition)
        assert not edition_buckets(edition) & TRAINING_BUCKETS
        assert all(not found & other for other in values[:edition])


def test_no_example_answers_with_a_value_of_the_documents() -> None:
    values = {placed.fact.value for edition in range(EDITIONS) for placed in demo_facts(edition=edition)}
    answered = {
        re.split(r"は| is ", chat["messages"][2]["content"], maxsplit=1)[1].rsplit("[", 1)[0].strip().rstrip(".")
        for chat in chat_examples()
    }
    assert not {answer.removesuffix("です。") for answer in answered} & values


def test_another_edition_asks_the_same_questions_and_has_other_answers() -> None:
    first, second = demo_questions(edition=0), demo_questions(edition=1)
    assert [(q.text, q.document, q.page) for q in first] == [(q.text, q.document, q.page) for q in second]
    assert all(a.value != b.value and a.answer != b.answer for a, b in zip(first, second, strict=True))


def test_questions_are_enough_and_half_are_japanese() -> None:
    questions = demo_questions()
    assert len(questions) >= 44
    assert len({q.text for q in questions}) == len(questions)
    assert sum(q.language == "ja" for q in questions) * 2 == len(questions)
    assert all(q.value in q.answer for q in questions)


def test_unknown_edition_is_refused() -> None:
    with pytest.raises(ValueError, match="edition must be"):
        demo_facts(edition=EDITIONS)


def test_pdf_text_is_read_back_on_the_right_pages(tmp_path: Path) -> None:
    paths = write_documents(tmp_path, edition=1)
    assert [path.name for path in paths] == [plan.file_name for plan in DOCUMENTS]
    facts = demo_facts(edition=1)
    for path, plan in zip(paths, DOCUMENTS, strict=True):
        pages = [page.extract_text().split("\n") for page in PdfReader(path).pages]
        assert len(pages) == len(plan.pages) > 1
        for number, (lines, page) in enumerate(zip(pages, plan.pages, strict=True), start=1):
            expected = [p.fact.statement for p in facts if (p.document, p.page) == (path.name, number)]
            assert [line for line in lines if line] == [page.heading, *expected]


def test_documents_are_the_same_bytes_for_the_same_seed_and_edition(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write_documents(tmp_path / "a")]
    again = [path.read_bytes() for path in write_documents(tmp_path / "b")]
    other = [path.read_bytes() for path in write_documents(tmp_path / "c", edition=1)]
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_every_japanese_character_of_the_documents_is_known_to_the_tokenizer() -> None:
    known = {*DEMO_CHARACTERS, *KATAKANA, *FAMILY_NAME_CHARACTERS, *GIVEN_NAME_CHARACTERS, *"、。ー"}
    texts = [p.fact.statement + p.fact.question + p.fact.polite for p in demo_facts()]
    texts += [plan.title + "".join(page.heading for page in plan.pages) for plan in DOCUMENTS]
    used = {c for text in texts for c in text if "\u3000" <= c <= "\u9fff" and not "\u3041" <= c <= "\u3093"}
    assert used <= known


def test_japanese_lines_break_anywhere_but_before_a_closing_sign() -> None:
    lines = wrap("あいうえお。かきく", "Helvetica", BODY_SIZE, BODY_SIZE, "ja")
    assert "".join(lines) == "あいうえお。かきく"
    assert not any(line.startswith("。") for line in lines)
    assert len(lines) > 1


def test_english_lines_break_between_words() -> None:
    assert wrap("one two three", "Helvetica", 12, 45, "en") == ["one two", "three"]


@pytest.mark.parametrize(
    ("answer", "exact"),
    [
        ("青木会議室の定員は87人です。[2]", True),
        (" 青木会議室の定員は87人です。[2]\n", True),
        ("青木会議室の定員は87人です。[1]", False),  # another page
        ("青木会議室の定員は87人です。[3]", False),  # no such passage
        ("青木会議室の定員は87人です。", False),
        ("青木会議室の定員は87人である。[2]", False),
        ("青木会議室の定員は88人です。[2]", False),
        ("青木会議室の定員は87人です。[1][2]", False),
        ("はい。青木会議室の定員は87人です。[2]", False),
        ("", False),
    ],
)
def test_an_answer_counts_only_if_sentence_and_citation_are_right(answer: str, exact: bool) -> None:
    assert is_exact(answer, QUESTION, PASSAGES) is exact


def test_citation_of_the_same_page_in_another_document_does_not_count() -> None:
    assert not is_exact("青木会議室の定員は87人です。[1]", QUESTION, [Passage("…", "projects-ja.pdf", 2)])


def test_share_needs_a_question() -> None:
    assert exact_share([True, False]) == 0.5
    with pytest.raises(ValueError, match="no question"):
        exact_share([])
