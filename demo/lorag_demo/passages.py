"""Passages of invented facts, arranged so that one word of the question is not enough to find the answer."""

from __future__ import annotations

from dataclasses import dataclass

from lorag_demo.facts import Fact, FactSource, Language

_SENTENCES_AROUND: dict[Language, tuple[str, ...]] = {
    "ja": (
        "詳しくは別紙を参照のこと。",
        "この資料は先週更新された。",
        "不明な点は事務局に問い合わせること。",
        "規則は全員に適用される。",
        "来客は名簿に記入すること。",
        "以下の点に注意する。",
    ),
    "en": (
        "Please read the notes below.",
        "This page was updated last week.",
        "Ask the office if anything is unclear.",
        "The rules apply to all staff.",
        "See the appendix for details.",
        "Visitors must sign the list.",
    ),
}
_ONE_PAGE_SHARE = 0.6
_SAME_SUBJECT_SHARE = 0.7
_SAME_ATTRIBUTE_SHARE = 0.3
_FILLER_SHARE = 0.15
_HEADING_SHARE = 0.15
_TRIES = 9


@dataclass(frozen=True)
class FactPassage:
    """A passage: its lines of text (sentences, perhaps a heading first) and the facts that they state."""

    lines: tuple[str, ...]
    facts: tuple[Fact, ...]


def draw_passages(source: FactSource, count: int, *, sentences: tuple[int, int] = (1, 3)) -> list[FactPassage]:
    """At most `count` passages of `sentences` (fewest, most) facts each; no subject-attribute pair occurs twice.

    Mostly they are cut from one page, in any order: a few subjects of one sort, the same things said of each,
    which is what a search over a document returns. Otherwise they are of mixed origin. Some passages carry a heading
    or a sentence that states no fact.
    """
    draw = _from_one_page if source.random.random() < _ONE_PAGE_SHARE else _of_mixed_origin
    return [_dressed(source, facts) for facts in draw(source, count, sentences)]


def _from_one_page(source: FactSource, count: int, sentences: tuple[int, int]) -> list[list[Fact]]:
    random = source.random
    subjects = source.subjects(random.randint(2, 3))
    attributes = {a.name: a for a in (source.attribute() for _ in range(random.randint(2, 3)))}.values()
    page = [source.fact(subject, attribute) for subject in subjects for attribute in attributes]
    size = random.randint(*sentences)
    pieces = [page[i : i + size] for i in range(0, len(page), size)]
    random.shuffle(pieces)
    return pieces[:count]


def _of_mixed_origin(source: FactSource, count: int, sentences: tuple[int, int]) -> list[list[Fact]]:
    """Facts that mostly share their passage's subject; now and then an attribute is said of several subjects."""
    seen: dict[tuple[str, str], Fact] = {}
    passages = []
    for _ in range(count):
        subject = source.subject()
        facts: list[Fact] = []
        for _ in range(source.random.randint(*sentences)):
            fact = _new_fact(source, subject, seen)
            if fact:
                seen[fact.subject, fact.attribute.name] = fact
                facts.append(fact)
        passages.append(facts)
    return passages


def _new_fact(source: FactSource, subject: str, seen: dict[tuple[str, str], Fact]) -> Fact | None:
    random = source.random
    for _ in range(_TRIES):
        chosen = subject if random.random() < _SAME_SUBJECT_SHARE else source.subject()
        known = list(seen.values())
        repeat = known and random.random() < _SAME_ATTRIBUTE_SHARE
        fact = source.fact(chosen, random.choice(known).attribute if repeat else None)
        if (fact.subject, fact.attribute.name) not in seen:
            return fact
    return None


def _dressed(source: FactSource, facts: list[Fact]) -> FactPassage:
    random = source.random
    lines = [fact.statement for fact in facts]
    if random.random() < _FILLER_SHARE:
        lines.insert(random.randint(0, len(lines)), random.choice(_SENTENCES_AROUND[source.language]))
    if random.random() < _HEADING_SHARE:
        lines = _with_heading(source, facts[0].subject if facts else source.subject(), lines)
    return FactPassage(tuple(lines), tuple(facts))


def _with_heading(source: FactSource, subject: str, lines: list[str]) -> list[str]:
    """A heading as a line of its own, or run into the first sentence as happens when PDF lines are joined."""
    number = source.random.randint(1, 9)
    if source.language == "ja":
        heading = source.random.choice((f"第{number}章 {subject}", f"{number} {subject}", subject))
    else:
        heading = source.random.choice((f"{number} {subject}", f"Chapter {number} {subject}", subject))
    if source.random.random() < 0.5:
        return [heading, *lines]
    return [f"{heading} {lines[0]}", *lines[1:]] if lines else [heading]
