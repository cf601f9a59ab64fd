"""The demo's documents: small PDF files of invented facts, and questions about them.

What is spoken of, and where, is fixed; which facts are asked for comes from a seed, and the values from the seed and an
edition. Another edition replaces every value under the same file names, subjects and questions, so an answer can be
right only if it was read from the file that is indexed now.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lorag_demo.facts import ATTRIBUTES, Attribute, Fact, FactSource, Language, edition_buckets
from lorag_demo.pdf import PdfPage, write_pdf

SEED: Final = 2026
QUESTIONS_PER_DOCUMENT: Final = 8


@dataclass(frozen=True)
class PagePlan:
    """A page: its heading, its subjects, and what is said of each of them."""

    heading: str
    subjects: tuple[str, ...]
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class DocumentPlan:
    """A PDF file: its name, title, language and pages."""

    file_name: str
    title: str
    language: Language
    pages: tuple[PagePlan, ...]


@dataclass(frozen=True)
class PlacedFact:
    """A fact and where it stands; pages count from 1."""

    fact: Fact
    document: str
    page: int


@dataclass(frozen=True)
class Question:
    """A question, its value, the exact sentence that answers it (citation not included), and where that stands."""

    text: str
    language: Language
    value: str
    answer: str
    document: str
    page: int


def _page(heading: str, subjects: str, attributes: str) -> PagePlan:
    return PagePlan(heading, tuple(subjects.split("|")), tuple(attributes.split("|")))


DOCUMENTS: Final[tuple[DocumentPlan, ...]] = (
    DocumentPlan(
        "facilities-ja.pdf",
        "施設案内",
        "ja",
        (
            _page("会議室", "青木会議室|北沢会議室", "定員|管理者|内線番号"),
            _page("図書館と公園", "石川図書館|松本公園", "開業日|所在地|面積"),
            _page("倉庫", "東山倉庫|南原倉庫", "責任者|登録番号|避難場所"),
        ),
    ),
    DocumentPlan(
        "equipment-ja.pdf",
        "設備台帳",
        "ja",
        (
            _page("充電装置", "サクラ充電装置|モミジ充電装置", "型番|価格|保証期間"),
            _page("清掃装置", "スズメ清掃装置|ツバメ清掃装置", "重さ|製造番号|点検日"),
            _page("開発班の製品", "ヒバリ電源|カモメ電源", "仕入先|修理費|保管場所"),
        ),
    ),
    DocumentPlan(
        "projects-ja.pdf",
        "事業一覧",
        "ja",
        (
            _page("工事", "清水橋|白石橋", "完成日|長さ|予算"),
            _page("研修", "西村研修|高野研修", "期限|担当者|集合場所"),
            _page("講座", "池上講座|吉野講座", "開始日|手数料|合言葉"),
        ),
    ),
    DocumentPlan(
        "facilities-en.pdf",
        "Facilities",
        "en",
        (
            _page("Rooms", "Room Zanbel|Room Tokari", "capacity|administrator|extension number"),
            _page("Museums and parks", "the Morina museum|the Velanto park", "opening date|location|area"),
            _page("Plants", "Plant Gadoris|Plant Pelika", "manager|registration number|evacuation site"),
        ),
    ),
    DocumentPlan(
        "equipment-en.pdf",
        "Equipment",
        "en",
        (
            _page("Charging units", "Unit Kolanti|Unit Rimora", "model number|price|warranty period"),
            _page("Cleaning units", "the Sarbeno unit|the Hukela unit", "weight|serial number|inspection date"),
            _page("Ships", "Ship Vorania|Ship Jelito", "supplier|repair cost|storage site"),
        ),
    ),
    DocumentPlan(
        "projects-en.pdf",
        "Projects",
        "en",
        (
            _page("Bridges", "the Lamoris bridge|the Tizanka bridge", "completion date|length|budget"),
            _page("Teams", "Team Nagelo|Team Fibanu", "deadline|contact person|meeting place"),
            _page("Courses", "Course Dizora|Course Bekalin", "start date|fee|password"),
        ),
    ),
)


def demo_facts(seed: int = SEED, edition: int = 0) -> list[PlacedFact]:
    """All facts of an edition, document by document; ValueError if there is no such edition."""
    placed = []
    for plan in DOCUMENTS:
        source = FactSource(
            random.Random(f"{seed}/{edition}/{plan.file_name}"), plan.language, buckets=edition_buckets(edition)
        )
        known = {attribute.name: attribute for attribute in ATTRIBUTES[plan.language]["train"]}
        for number, page in enumerate(plan.pages, start=1):
            placed += [PlacedFact(fact, plan.file_name, number) for fact in _page_facts(source, page, known)]
    return placed


def _page_facts(source: FactSource, page: PagePlan, known: dict[str, Attribute]) -> list[Fact]:
    return [source.fact(subject, known[name]) for subject in page.subjects for name in page.attributes]


def demo_questions(seed: int = SEED, edition: int = 0, per_document: int = QUESTIONS_PER_DOCUMENT) -> list[Question]:
    """Questions about an edition, half of them Japanese; which facts are asked for depends on the seed alone."""
    facts = demo_facts(seed, edition)
    chooser = random.Random(seed)
    questions = []
    for plan in DOCUMENTS:
        candidates = [i for i, placed in enumerate(facts) if placed.document == plan.file_name]
        for i in sorted(chooser.sample(candidates, per_document)):
            fact = facts[i].fact
            questions.append(
                Question(fact.question, plan.language, fact.value, fact.polite, plan.file_name, facts[i].page)
            )
    return questions


def write_documents(folder: Path, seed: int = SEED, edition: int = 0) -> list[Path]:
    """Write an edition's PDF files; the same seed and edition give the same bytes."""
    facts = demo_facts(seed, edition)
    paths = []
    for plan in DOCUMENTS:
        pages = [
            PdfPage(
                page.heading,
                [p.fact.statement for p in facts if (p.document, p.page) == (plan.file_name, number)],
            )
            for number, page in enumerate(plan.pages, start=1)
        ]
        paths.append(write_pdf(folder / plan.file_name, plan.title, plan.language, pages))
    return paths
