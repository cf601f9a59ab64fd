"""Thinking apart from the answer, turns in the queue, follow-up questions, and counting tokens."""

from __future__ import annotations

import asyncio

import pytest

from lorag_common.errors import LoragError, Reason
from lorag_common.prompts import Turn
from lorag_qa.conversation import clean, fit_history, search_query
from lorag_qa.thinking import Splitter, Thinking, opened_by, without_thinking
from lorag_qa.tokens import evaluated_tokens
from lorag_qa.turns import Turns


def split(text: str, size: int, splitter: Splitter) -> tuple[str, str]:
    pieces = [p for i in range(0, len(text), size) for p in splitter.add(text[i : i + size])] + splitter.finish()
    thinking = "".join(p.text for p in pieces if isinstance(p, Thinking))
    return thinking, "".join(p for p in pieces if isinstance(p, str))


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize(
    ("text", "opened", "undecided", "expected"),
    [
        ("<think>期限を探す。</think>\n\n5日です。[1]", False, False, ("期限を探す。", "5日です。[1]")),
        ("期限を探す。</think>\n5日です。[1]", True, False, ("期限を探す。", "5日です。[1]")),
        ("期限を探す。</think>\n5日です。[1]", False, True, ("期限を探す。", "5日です。[1]")),
        ("5日です。a < b, c</t>", False, False, ("", "5日です。a < b, c</t>")),
        ("5日です。", False, True, ("", "5日です。")),
        ("<think>まだ考えて", False, False, ("まだ考えて", "")),
        ("まだ考えて", True, False, ("まだ考えて", "")),
        ("<think>a</think>b<think>c</think>d", False, False, ("ac", "bd")),
        ("<think>a</think>b", False, True, ("a", "b")),
    ],
)
def test_thinking_is_told_apart_however_the_tags_are_split_or_missing(
    text: str, opened: bool, undecided: bool, expected: tuple[str, str], size: int
) -> None:
    assert split(text, size, Splitter(opened=opened, undecided=undecided)) == expected


def test_a_prompt_that_ends_within_the_thinking_is_known() -> None:
    assert opened_by("<｜Assistant｜><think>\n")
    assert not opened_by("<|im_start|>assistant\n")
    assert not opened_by("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert not opened_by("user: what is <think>?\nassistant:")


def test_thinking_never_stays_in_the_history() -> None:
    for text in ("<think>秘密</think>\n答え", "秘密</think>答え", "答え<think>秘密"):
        assert without_thinking(text) == "答え"
    turns = clean([Turn("user", " 問い "), Turn("assistant", "<think>秘密</think>"), Turn("assistant", "x</think>y")])
    assert turns == [Turn("user", "問い"), Turn("assistant", "y")]


HISTORY = [Turn("user", "青森館の定員は何人ですか。"), Turn("assistant", "482人です。")]


@pytest.mark.parametrize(
    "question", ["では料金は？", "その料金はいくらですか。", "料金は？", "そこは何時に開きますか。", "なぜ？"]
)
def test_a_follow_up_is_searched_with_what_it_goes_on_from(question: str) -> None:
    assert search_query(question, HISTORY) == f"青森館の定員は何人ですか。 {question}"


@pytest.mark.parametrize("question", ["And its fee?", "What about the fee?", "How long does it take?"])
def test_an_english_follow_up_too(question: str) -> None:
    assert search_query(question, [Turn("user", "What is room Zanbe?")]) == f"What is room Zanbe? {question}"


@pytest.mark.parametrize("question", ["秋田館の休館日はいつですか。", "What is the capacity of room Alpha?"])
def test_a_question_that_stands_alone_is_searched_as_it_is(question: str) -> None:
    assert search_query(question, HISTORY) == question


def test_a_chain_of_follow_ups_reaches_back_to_the_question_that_stands_alone() -> None:
    history = [*HISTORY, Turn("user", "では料金は？"), Turn("assistant", "無料です。")]
    assert search_query("それはなぜですか。", history) == "青森館の定員は何人ですか。 では料金は？ それはなぜですか。"


def test_history_keeps_the_latest_turns_that_fit_and_begins_with_the_person() -> None:
    turns = [Turn("user", "a" * 50), Turn("assistant", "b" * 10), Turn("user", "c" * 10), Turn("assistant", "d" * 10)]
    assert fit_history(turns, len, 35) == turns[2:]
    assert fit_history(turns, len, 80) == turns
    assert fit_history(turns, len, 5) == []


async def test_questions_wait_in_turn_a_turn_for_each_caller() -> None:
    turns = Turns(1, 10)
    order: list[str] = []

    async def ask(caller: str, name: str) -> None:
        ticket = turns.take(caller)
        try:
            await ticket.come()
            order.append(name)
            await asyncio.sleep(0)
        finally:
            ticket.give_up()

    async with asyncio.TaskGroup() as group:
        for caller, name in (("a", "a1"), ("a", "a2"), ("a", "a3"), ("a", "a4"), ("b", "b1"), ("c", "c1")):
            group.create_task(ask(caller, name))
    assert order == ["a1", "a2", "b1", "c1", "a3", "a4"]


async def test_beyond_the_limit_nobody_waits() -> None:
    turns = Turns(1, 1)
    first, second = turns.take("a"), turns.take("a")
    with pytest.raises(LoragError) as error:
        turns.take("b")
    assert error.value.reason is Reason.TOO_MANY_QUESTIONS
    assert (str(error.value.code), error.value.http_status) == ("RESOURCE_EXHAUSTED", 429)
    first.give_up()
    await asyncio.wait_for(second.come(), 1)
    second.give_up()
    await asyncio.wait_for(turns.take("b").come(), 1)


async def test_who_goes_away_while_waiting_holds_up_nobody() -> None:
    turns = Turns(1, 5)
    first, second, third = (turns.take(c) for c in "abc")
    waiting = asyncio.create_task(second.come())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    second.give_up()
    first.give_up()
    await asyncio.wait_for(third.come(), 1)
    third.give_up()
    assert turns.waiting == 0
    await asyncio.wait_for(turns.take("d").come(), 1)


@pytest.mark.parametrize(
    ("told", "context", "expected"),
    [(100, None, 100), (None, None, None), (0, None, None), (40, None, None), (98, 4096, None), (3, 4096, None)],
)
def test_a_count_that_is_missing_or_reduced_by_a_cache_is_unknown(
    told: int | None, context: int | None, expected: int | None
) -> None:
    assert evaluated_tokens(100, told, context) == expected


@pytest.mark.parametrize(
    ("told", "context", "reason"),
    [
        (98, None, Reason.CONTEXT_OVERFLOW),
        (40, 64, Reason.CONTEXT_OVERFLOW),
        (101, 4096, Reason.MODEL_SERVER_FAILED),
    ],
)
def test_a_prompt_that_was_cut_or_added_to_is_an_error(told: int, context: int | None, reason: Reason) -> None:
    with pytest.raises(LoragError) as error:
        evaluated_tokens(100, told, context)
    assert error.value.reason is reason
