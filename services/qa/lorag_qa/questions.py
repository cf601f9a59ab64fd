"""Questions whose answers are known: given by the user, or made from sentences of the indexed documents.

A sentence that says what something is becomes a question for it (`XはYである。` asks for Y); where there are too few of
them, a sentence with a number becomes one with a gap. Some questions are asked with the passages that answer them taken
away: then the right answer is that the documents do not say.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lorag_common.prompts import language_of, split_sentences
from lorag_qa.terms import folded

SEED = 20
WITHHELD_SHARE = 0.25
_IS_JA = re.compile(
    r"^(?P<subject>[^は、。「」]{2,30})は(?P<value>[^、。は]{1,40}?)(?:である|です|となっている|となる|とする|だ)。?$"
)
_IS_EN = re.compile(
    r"^(?P<subject>(?:The|A|An|[A-Z])[^,.;:?!]{2,60}?) (?P<verb>is|are|was|were) (?P<value>(?!not\b)[^,;:?!]{1,60})\.$"
)
_POINTING = re.compile(r"^(?:これ|それ|この|その|あれ|あの|ここ|そこ|同|It|This|That|These|Those|They|There|He|She)")
_NUMBER = re.compile(r"\d[\d,.]*\s?(?:[年月日人円個回台階歳時分秒名割倍本枚件点冊室%％]|[A-Za-z]{1,8}|万|億)?")
_GAP = {"ja": "「{text}」の＿＿に入る言葉は何ですか。", "en": "What belongs into the gap of “{text}”?"}


@dataclass(frozen=True)
class TestQuestion:
    """A question; the answer must hold one of `expected`, and is found in the document and on the page, where these are set.

    Passages that hold one of `withheld` are kept from the model. Without `expected` the right answer is a refusal.
    """

    text: str
    expected: tuple[str, ...] = ()
    document_id: str = ""
    page: int = 0
    withheld: tuple[str, ...] = ()

    __test__ = False  # not a test of pytest's

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> TestQuestion:
        """Inverse of `as_dict`."""
        return cls(d["text"], tuple(d["expected"]), d["document_id"], d["page"], tuple(d["withheld"]))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class PageText:
    """The text of a page."""

    document_id: str
    page: int
    text: str


def make_questions(pages: Iterable[PageText], count: int) -> list[TestQuestion]:
    """Up to `count` questions over the pages, the documents in turn; the same pages give the same questions."""
    rng = random.Random(SEED)
    found: dict[str, dict[str, TestQuestion]] = {}
    for page in pages:
        for question in _of_page(page):
            known = found.setdefault(page.document_id, {})
            # The same is said of one subject twice: either answer is right.
            before = known.get(question.text)
            expected = tuple(dict.fromkeys([*(before.expected if before else ()), *question.expected]))
            known[question.text] = TestQuestion(question.text, expected, question.document_id, question.page)
    pools = [sorted(known.values(), key=lambda q: (_is_gap(q), rng.random())) for known in found.values()]
    chosen = list(_in_turn(pools))[:count]
    withheld = set(rng.sample(range(len(chosen)), int(len(chosen) * WITHHELD_SHARE)))
    return [_withhold(q) if n in withheld else q for n, q in enumerate(chosen)]


def answers_it(text: str, expected: Sequence[str]) -> bool:
    """Whether a text holds one of the expected answers, width, case and white space apart."""
    plain = _squeezed(text)
    return any(_squeezed(e) in plain for e in expected)


def _withhold(question: TestQuestion) -> TestQuestion:
    return TestQuestion(question.text, withheld=question.expected)


def _is_gap(question: TestQuestion) -> bool:
    return "＿＿" in question.text or "gap of" in question.text


def _of_page(page: PageText) -> Iterator[TestQuestion]:
    for sentence in split_sentences(re.sub(r"(?<![。.!?！？])\n(?=\S)", "", page.text)):
        if _POINTING.match(sentence):
            continue
        if ja := _IS_JA.match(sentence):
            text = f"{ja['subject']}は何ですか。"
            yield TestQuestion(text, (ja["value"].strip(),), page.document_id, page.page)
        elif en := _IS_EN.match(sentence):
            subject = en["subject"]
            if subject.startswith(("The ", "A ", "An ")):
                subject = subject[0].lower() + subject[1:]
            yield TestQuestion(f"What {en['verb']} {subject}?", (en["value"].strip(),), page.document_id, page.page)
        elif len(sentence) <= 120 and (number := _NUMBER.search(sentence)):
            gap = f"{sentence[: number.start()]}＿＿{sentence[number.end() :]}"
            text = _GAP[language_of(sentence)].format(text=gap)
            yield TestQuestion(text, (number[0].strip(),), page.document_id, page.page)


def _in_turn(pools: Sequence[Sequence[TestQuestion]]) -> Iterator[TestQuestion]:
    for n in range(max(map(len, pools), default=0)):
        yield from (pool[n] for pool in pools if n < len(pool))


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", "", folded(text))
