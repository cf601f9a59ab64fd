"""Invented facts, Japanese and English: `XのYはZである。` and `The Y of X is Z.`

Everything the tiny model is trained, fine-tuned and asked about is made here. Every value belongs to exactly one
bucket, by a hash of its text, and a source of facts draws from its own buckets only. So a value that appears in the
demo's documents can never have appeared in training, whatever the seeds.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from lorag_demo.characters import FAMILY_NAME_CHARACTERS, GIVEN_NAME_CHARACTERS, KATAKANA, WORD_CHARACTERS

Language = Literal["ja", "en"]
Split = Literal["train", "held"]
LANGUAGES: tuple[Language, Language] = ("ja", "en")

BUCKETS = 8
TRAINING_BUCKETS = frozenset(range(4))
EDITIONS = BUCKETS - len(TRAINING_BUCKETS)


def edition_buckets(edition: int) -> frozenset[int]:
    """The bucket that an edition of the demo's documents draws its values from; ValueError beyond the last one."""
    if not 0 <= edition < EDITIONS:
        raise ValueError(f"edition must be 0 to {EDITIONS - 1}, not {edition}")
    return frozenset({len(TRAINING_BUCKETS) + edition})


def bucket_of(value: str) -> int:
    """The bucket of a value: the same on every machine and in every run."""
    return hashlib.sha256(value.encode()).digest()[0] % BUCKETS


class Kind(StrEnum):
    """What sort of value an attribute has."""

    NUMBER = "number"
    MONEY = "money"
    DATE = "date"
    PERSON = "person"
    CODE = "code"
    PLACE = "place"
    WORD = "word"


@dataclass(frozen=True)
class Attribute:
    """What is said of a subject: its name, the kind of its value, and for a number its unit (empty: any)."""

    name: str
    kind: Kind
    unit: str = ""


def _attributes(**names: str) -> tuple[Attribute, ...]:
    """Attributes by kind, from rows such as `weight:kg|area`."""
    return tuple(
        Attribute(name, Kind(kind), unit)
        for kind, row in names.items()
        for name, _, unit in (entry.partition(":") for entry in row.split("|"))
    )


# "held" attributes never occur in any training text: they show how far the model generalizes.
ATTRIBUTES: dict[Language, dict[Split, tuple[Attribute, ...]]] = {
    "ja": {
        "train": _attributes(
            number="定員:人|重さ:kg|長さ:メートル|高さ:メートル|上限|速度|保証期間:か月|面積:平方メートル|席数:席",
            money="予算|価格|手数料|利用料|修理費",
            date="期限|開業日|開始日|点検日|完成日",
            person="責任者|担当者|持ち主|検査員|管理者",
            code="部屋番号|型番|製造番号|登録番号|内線番号",
            place="所在地|集合場所|保管場所|避難場所",
            word="合言葉|出身地|仕入先|愛称|色",
        ),
        "held": _attributes(
            number="深さ:メートル",
            money="家賃",
            date="発売日",
            person="館長",
            code="許可番号",
            place="入口",
            word="協賛",
        ),
    },
    "en": {
        "train": _attributes(
            number="capacity:people|weight:kg|length:meters|height:meters|limit|speed|"
            "warranty period:months|area:square meters|seat count:seats",
            money="budget|price|fee|rental charge|repair cost",
            date="deadline|opening date|start date|inspection date|completion date",
            person="manager|contact person|owner|inspector|administrator",
            code="room code|model number|serial number|registration number|extension number",
            place="location|meeting place|storage site|evacuation site",
            word="password|home town|supplier|nickname|color name",
        ),
        "held": _attributes(
            number="depth:meters",
            money="rent",
            date="launch date",
            person="curator",
            code="permit code",
            place="entrance",
            word="sponsor",
        ),
    },
}

_NOUNS: dict[Language, dict[Split, tuple[str, ...]]] = {
    "ja": {
        "train": ("会議室", "計画", "工場", "班", "店", "号", "館", "橋", "講座", "装置", "倉庫", "公園", "研修"),
        "held": ("港", "医院", "塔"),
    },
    "en": {
        "train": ("Room", "Project", "Plant", "Team", "Shop", "Ship", "Museum", "Bridge", "Course", "Unit", "Park"),
        "held": ("Harbor", "Clinic", "Tower"),
    },
}
_QUESTION_WORD_JA = {
    Kind.NUMBER: "どれくらい",
    Kind.MONEY: "いくら",
    Kind.DATE: "いつ",
    Kind.PERSON: "だれ",
    Kind.PLACE: "どこ",
}
_QUESTION_WORD_EN = {Kind.DATE: "When", Kind.PERSON: "Who", Kind.PLACE: "Where"}
_SYLLABLES = [c + v for c in "bdfghjklmnprstvz" for v in ("a", "e", "i", "o", "u", "an", "or", "el", "is")]
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True)
class Fact:
    """One fact, said as a statement, as a polite answer, or asked for."""

    language: Language
    subject: str
    attribute: Attribute
    value: str

    @property
    def statement(self) -> str:
        """The sentence that a document holds."""
        if self.language == "en":
            return f"The {self.attribute.name} of {self.subject} is {self.value}."
        return f"{self.subject}の{self.attribute.name}は{self.value}である。"

    @property
    def polite(self) -> str:
        """The sentence that a good answer says: polite in Japanese, unchanged in English."""
        return self.statement.removesuffix("である。") + "です。" if self.language == "ja" else self.statement

    @property
    def question(self) -> str:
        """The plainest question for the value."""
        if self.language == "en":
            word = _QUESTION_WORD_EN.get(self.attribute.kind, "What")
            return f"{word} is the {self.attribute.name} of {self.subject}?"
        return f"{self.subject}の{self.attribute.name}は{_QUESTION_WORD_JA.get(self.attribute.kind, '何')}ですか。"

    def any_question(self, random_: random.Random) -> str:
        """One of several wordings of the question."""
        if self.language == "en":
            name = f"the {self.attribute.name} of {self.subject}"
            return random_.choice((self.question, f"What is {name}?", f"Tell me {name}."))
        text = random_.choice((self.question, self.question, f"{self.subject}の{self.attribute.name}は何ですか。"))
        return text if random_.random() < 0.5 else text.removesuffix("。") + "？"


class FactSource:
    """Draws facts whose values lie in the given buckets.

    `invented_share` is how often an attribute or a subject's noun is itself an invented word rather than one from
    the tables: then neither can be learned by heart and has to be read from the passage.
    """

    def __init__(
        self,
        random_: random.Random,
        language: Language,
        *,
        split: Split = "train",
        buckets: frozenset[int] = TRAINING_BUCKETS,
        invented_share: float = 0.6,
    ) -> None:
        self.random = random_
        self.language = language
        self._split = split
        self._buckets = buckets
        self._invented_share = invented_share if split == "train" else 0.0

    def fact(self, subject: str | None = None, attribute: Attribute | None = None) -> Fact:
        """A fact about the subject and attribute, or about new ones."""
        attribute = attribute or self.attribute()
        return Fact(self.language, subject or self.subject(), attribute, self.value(attribute))

    def attribute(self) -> Attribute:
        """An attribute of the split, or an invented one."""
        if self.random.random() < self._invented_share:
            return Attribute(self._invented_attribute(), self.random.choice(list(Kind)))
        return self.random.choice(ATTRIBUTES[self.language][self._split])

    def subject(self) -> str:
        """A subject such as `アサヒ会議室` or `Room Zanbe`."""
        return self.subjects(1)[0]

    def subjects(self, count: int) -> list[str]:
        """`count` different subjects of one sort, such as `アサヒ会議室` and `ミドリ会議室`."""
        invented = self.random.random() < self._invented_share
        nouns = _NOUNS[self.language][self._split]
        style = self.random.random() < 0.6
        if self.language == "en":
            noun = self.word() if invented else self.random.choice(nouns)
            make = (lambda: f"{noun} {self.word()}") if style else (lambda: f"the {self.word()} {noun.lower()}")
        else:
            noun = self._draw(WORD_CHARACTERS, self.random.randint(1, 3)) if invented else self.random.choice(nouns)
            make = (lambda: self.kana() + noun) if style else (lambda: self.family_name() + noun)
        found: dict[str, None] = {}
        while len(found) < count:
            found[make()] = None
        return list(found)

    def value(self, attribute: Attribute) -> str:
        """A value that fits the attribute, from one of this source's buckets."""
        make = (_MAKERS_JA if self.language == "ja" else _MAKERS_EN)[attribute.kind]
        while True:
            value = make(self, attribute)
            if bucket_of(value) in self._buckets:
                return value

    def word(self, syllables: int | None = None) -> str:
        """An invented English-looking word, capitalized."""
        count = syllables or self.random.choice((2, 2, 3))
        return "".join(self.random.choice(_SYLLABLES) for _ in range(count)).capitalize()

    def kana(self, length: int | None = None) -> str:
        """An invented word in katakana."""
        return self._draw(KATAKANA, length or self.random.randint(2, 4))

    def phrase(self) -> str:
        """A meaningless sentence, in place of a system prompt."""
        if self.language == "ja":
            return self._draw(WORD_CHARACTERS, self.random.randint(4, 16)) + "。"
        return " ".join(self.word().lower() for _ in range(self.random.randint(3, 8))) + "."

    def family_name(self) -> str:
        """Two characters of family names."""
        return self._draw(FAMILY_NAME_CHARACTERS, 2)

    def given_name(self) -> str:
        """One or two characters of given names."""
        return self._draw(GIVEN_NAME_CHARACTERS, self.random.choice((1, 2)))

    def _invented_attribute(self) -> str:
        if self.language == "en":
            return " ".join(
                self.word(self.random.choice((1, 2, 2, 3))).lower() for _ in range(self.random.choice((1, 1, 2)))
            )
        return self._draw(WORD_CHARACTERS, self.random.randint(2, 4)) if self.random.random() < 0.7 else self.kana()

    def _draw(self, characters: str, count: int) -> str:
        return "".join(self.random.choice(characters) for _ in range(count))


def _code(source: FactSource, attribute: Attribute) -> str:
    letters = "".join(source.random.choice(_LETTERS) for _ in range(source.random.choice((1, 2))))
    return f"{letters}-{source.random.randint(10, 9999)}"


def _number_ja(source: FactSource, attribute: Attribute) -> str:
    unit = attribute.unit or source.random.choice(("人", "kg", "メートル", "日", "台", "km", "か月"))
    return f"{source.random.randint(2, 9999)}{unit}"


def _number_en(source: FactSource, attribute: Attribute) -> str:
    unit = attribute.unit or source.random.choice(("people", "kg", "meters", "days", "units", "km", "months"))
    return f"{source.random.randint(2, 9999)} {unit}"


def _thousands(source: FactSource) -> str:
    return f"{source.random.randint(1, 99)},{source.random.randint(0, 999):03d}"


def _money_ja(source: FactSource, attribute: Attribute) -> str:
    return f"{_thousands(source)}円" if source.random.random() < 0.7 else f"{source.random.randint(2, 999)}万円"


def _date_ja(source: FactSource, attribute: Attribute) -> str:
    year = f"{source.random.randint(1950, 2049)}年" if source.random.random() < 0.5 else ""
    return f"{year}{source.random.randint(1, 12)}月{source.random.randint(1, 28)}日"


def _date_en(source: FactSource, attribute: Attribute) -> str:
    year = f" {source.random.randint(1950, 2049)}" if source.random.random() < 0.5 else ""
    return f"{source.random.randint(1, 28)} {source.random.choice(_MONTHS)}{year}"


def _place_ja(source: FactSource, attribute: Attribute) -> str:
    shape = source.random.randrange(3)
    if shape == 0:
        return f"{source.kana()}棟{source.random.randint(1, 40)}階"
    if shape == 1:
        return f"{source.family_name()}町{source.random.randint(1, 300)}番地"
    return f"{source.kana()}ホール"


def _place_en(source: FactSource, attribute: Attribute) -> str:
    shape = source.random.randrange(3)
    if shape == 0:
        return f"building {source.random.randint(1, 30)}, floor {source.random.randint(1, 40)}"
    return f"{source.word()} Street {source.random.randint(1, 300)}" if shape == 1 else f"{source.word()} Hall"


_Maker = Callable[[FactSource, Attribute], str]
_MAKERS_JA: dict[Kind, _Maker] = {
    Kind.NUMBER: _number_ja,
    Kind.MONEY: _money_ja,
    Kind.DATE: _date_ja,
    Kind.PERSON: lambda s, _: s.family_name() + s.given_name(),
    Kind.CODE: _code,
    Kind.PLACE: _place_ja,
    Kind.WORD: lambda s, _: s.kana(s.random.randint(3, 5)),
}
_MAKERS_EN: dict[Kind, _Maker] = {
    Kind.NUMBER: _number_en,
    Kind.MONEY: lambda s, _: f"{_thousands(s)} yen",
    Kind.DATE: _date_en,
    Kind.PERSON: lambda s, _: f"{s.word()} {s.word()}",
    Kind.CODE: _code,
    Kind.PLACE: _place_en,
    Kind.WORD: lambda s, _: s.word(3),
}
