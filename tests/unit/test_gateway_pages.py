"""The pages' texts and templates: both languages whole, nothing that the content policy would refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lorag_common.errors import Reason
from lorag_gateway.pages.jobs_shown import lasting, stages, subject
from lorag_gateway.pages.rendering import HERE, embedded, preferred, size, words

TEMPLATES = sorted((HERE / "templates").rglob("*.html"))
MODULES = sorted((HERE / "static").glob("*.js"))


def used() -> set[str]:
    found: set[str] = set()
    for template in TEMPLATES:
        found |= set(re.findall(r't\["([^"]+)"\]', template.read_text(encoding="utf-8")))
    for module in MODULES:
        found |= set(re.findall(r'\bword\("([^"]+)"', module.read_text(encoding="utf-8")))
    return found


def test_both_languages_have_every_text() -> None:
    ja, en = ({k: v for k, v in words(x).items() if not k.startswith("reason.")} for x in ("ja", "en"))
    assert set(ja) == set(en)
    assert used() <= set(en), used() - set(en)
    assert all(text.strip() for text in [*ja.values(), *en.values()])
    for key in en:
        assert set(re.findall(r"\{\w+\}", en[key])) == set(re.findall(r"\{\w+\}", ja[key])), key


def test_every_cause_of_an_error_is_explained_in_japanese() -> None:
    # English is the error table itself.
    assert {f"reason.{reason}" for reason in Reason} <= set(words("ja"))
    assert not any(key.startswith("reason.") for key in words("en"))


def test_every_stage_of_a_job_has_its_words() -> None:
    sources = [p.read_text(encoding="utf-8") for p in (HERE.parents[2] / "services").rglob("lorag_*/*.py")]
    said = {name for text in sources for name in re.findall(r"\breport\(\s*\"([^\"]+)\"", text)}
    assert len(said) > 15, "the way in which jobs report has changed"
    assert {f"stage.{name}" for name in said} <= set(words("ja"))


def test_the_japanese_is_japanese() -> None:
    japanese = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
    # Names that are the same in both languages.
    same = {k for k, v in words("ja").items() if not japanese.search(v)}
    assert same <= set(), same


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda p: p.name)
def test_no_template_needs_what_the_policy_refuses(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", text)
    for script in re.findall(r"<script[^>]*>", text):
        assert 'type="application/json"' in script or 'src="/static/' in script
    assert not re.search(r'(src|href)="(https?:)?//', text)
    assert "| safe" not in text


@pytest.mark.parametrize("module", MODULES, ids=lambda p: p.name)
def test_markup_enters_the_page_only_from_the_server_or_sanitised(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert not re.search(r"\beval\(|new Function|document\.write|insertAdjacentHTML|outerHTML", text)
    for line in text.splitlines():
        if "innerHTML" in line:
            assert 'call("POST", ' in line or 'call("GET", ' in line or "purify.sanitize(" in line, line


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("ja", "ja"),
        ("ja-JP,en;q=0.5", "ja"),
        ("en;q=0.4, ja;q=0.6", "ja"),
        ("de, en;q=0.1", "en"),
        ("de", "en"),
        ("", "en"),
        ("ja;q=x", "en"),
    ],
)
def test_the_better_language_is_chosen(accept: str, language: str) -> None:
    assert preferred(accept) == language


def test_no_text_can_end_the_data_block() -> None:
    block = embedded({"a": "</script><script>alert(1)</script>"})
    assert "<" not in block
    assert json.loads(block)["a"].startswith("</script>")


def test_sizes_are_for_people() -> None:
    assert [size(n) for n in (0, 999, 1000, 19_900_000_000)] == ["0 B", "999 B", "1.0 KB", "19.9 GB"]


def pipeline(state: str, stage: str, **spec: object) -> dict[str, object]:
    return {
        "kind": "pipeline",
        "state": f"JOB_STATE_{state}",
        "spec_json": json.dumps({"model": "manual", "evaluate": True, "activate": True} | spec),
        "progress": {"stage": stage, "message": "manual:v2"},
    }


@pytest.mark.parametrize(
    ("job", "shown"),
    [
        (
            pipeline("RUNNING", "convert", dataset_id="d"),
            "train:done convert:now publish: evaluate: activate:",
        ),
        (pipeline("FAILED", "publish", newest=True), "convert:done publish:failed evaluate: activate:"),
        (pipeline("SUCCEEDED", "done", release_id="manual:v1", evaluate=False), "publish:done activate:done"),
        (pipeline("PENDING", "", base_only=True, activate=False), "convert: publish: evaluate:"),
    ],
)
def test_a_pipelines_stages_are_those_that_it_was_asked_for(job: dict[str, object], shown: str) -> None:
    assert " ".join(f"{name}:{how}" for name, how in stages(job)) == shown


def test_a_job_says_what_it_is_about() -> None:
    assert subject(pipeline("RUNNING", "train")) == "manual"
    assert subject(pipeline("SUCCEEDED", "done")) == "manual:v2"
    indexing = {"kind": "indexing", "state": "JOB_STATE_RUNNING", "spec_json": '{"document_id": "abc"}'}
    assert (subject(indexing), subject(indexing, {"abc": "manual.pdf"})) == ("abc", "manual.pdf")


@pytest.mark.parametrize(("seconds", "shown"), [(0.4, "0秒"), (59.6, "1分0秒"), (102, "1分42秒"), (7260, "2時間1分")])
def test_lengths_of_time_are_for_people(seconds: float, shown: str) -> None:
    assert lasting(seconds, words("ja")) == shown
