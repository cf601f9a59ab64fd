"""What a person does, in real Chromium, against the real services: from a file of examples to a marked passage."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conftest import TINY_BASE
from playwright.sync_api import Browser, expect
from stack import Up

from lorag_demo.documents import demo_questions, write_documents
from lorag_demo.examples import write_examples

from .conftest import drop, until, visit

JOB_MS = 240_000
KNOBS = {
    "max_steps": "40",
    "batch_size": "8",
    "gradient_accumulation": "1",
    "learning_rate": "0.001",
    "max_length": "1024",
}
TEXTS = {
    "ja": {"title": "例でファインチューニング", "done": "完了", "ready": "検索可能", "fits": "このマシンで動きます"},
    "en": {"title": "Fine-tune on your examples", "done": "done", "ready": "searchable", "fits": "Fits this machine"},
}


@pytest.mark.parametrize("language", ["ja", "en"])
def test_from_examples_to_a_marked_passage(browser: Browser, shared_up: Up, tmp_path: Path, language: str) -> None:
    text = TEXTS[language]
    visitor = visit(browser, shared_up.url, language)
    page = visitor.page
    model = f"way-{language}"

    # Upload a dataset and look at what the model will see.
    write_examples(tmp_path / "examples.jsonl", 240 if language == "ja" else 120)
    visitor.go("/training")
    expect(page.get_by_role("heading", level=1)).to_have_text(text["title"])
    page.set_input_files("#dataset-file", tmp_path / "examples.jsonl")
    expect(page.locator("#datasets tbody tr").first).to_contain_text("examples.jsonl")
    page.fill("[name=base_model]", TINY_BASE.name)
    page.fill("[name=model]", model)
    page.locator("#training details.more summary").click()
    for name, value in KNOBS.items():
        page.fill(f"[name='settings.{name}']", value)
    page.click("#preview")
    expect(page.locator("#preview-out .token.learned").first).to_be_visible()
    learned, read = (
        page.locator("#preview-out .tokens .token.learned").count(),
        page.locator("#preview-out .tokens .token").count(),
    )
    assert 0 < learned < read, "the loss mask covers the answer and not the question"
    page.click("#estimate")
    expect(page.locator("#estimate-out")).to_contain_text(text["fits"])

    # Start the pipeline and watch the loss move.
    page.evaluate(
        """() => {
          window.drawn = new Set();
          const note = (changes) => changes.forEach((c) => window.drawn.add(Number(c.target.dataset.points)));
          new MutationObserver(note).observe(document.body, { subtree: true, attributeFilter: ["data-points"] });
        }"""
    )
    before = page.locator("#run [data-job]").count()
    page.click("#pipeline")
    expect(page.locator("#run [data-job]")).to_have_count(before + 1)
    chart = page.locator("#run [data-chart]").first
    expect(chart.locator("canvas")).to_be_visible(timeout=JOB_MS)
    job = page.locator("#run [data-job]").first
    expect(job.locator(".badge").first).to_have_text(text["done"], timeout=JOB_MS)
    moved = page.evaluate("[...window.drawn].filter((n) => n > 0).length")
    assert moved > 1, "the chart grew while the training went on"
    assert re.search(r"\d+: .*\d\.\d{3}", chart.locator("[data-summary]").inner_text())

    # The release appears with what was measured.
    visitor.go("/models")
    release = page.locator(f"[data-release='{model}:v1']")
    expect(release).to_be_visible()
    certificate = json.loads((shared_up.data / f"releases/{model}/v1/release.json").read_text())
    expect(release).to_contain_text(f"{certificate['fidelity']['top1_agreement'] * 100:.1f}%")
    expect(release).to_contain_text("Q4_K_M")

    # Drop two PDFs.
    visitor.go("/documents")
    pdfs = write_documents(tmp_path, edition=0 if language == "ja" else 1)
    two = pdfs[:2] if len(pdfs) == 2 else [next(p for p in pdfs if p.name == n) for n in _names(language, pdfs)]
    drop(page, "[data-drop]", two)
    for pdf in two:
        item = page.locator("[data-document]", has_text=pdf.name)
        # The one that had this name stays until the new one is searchable.
        expect(item).to_have_count(1, timeout=JOB_MS)
        expect(item.locator(".badge")).to_have_text(text["ready"], timeout=JOB_MS)

    # Ask, see the answer stream, click a citation, see the page with the passage marked.
    question = next(
        q
        for q in demo_questions(edition=0 if language == "ja" else 1)
        if q.language == language and q.document in {p.name for p in two}
    )
    visitor.go("/ask")
    page.fill("#question", question.text)
    page.locator("details.more summary").click()
    page.fill("[name=temperature]", "0")
    page.fill("[name=top_k]", "3")
    page.get_by_role("button", name="質問する" if language == "ja" else "Ask", exact=True).click()
    answer = page.locator(".turn.model").last
    until(page, "Number(document.querySelector('.turn.model').dataset.pieces) > 1", JOB_MS)
    expect(answer).to_have_attribute("data-ended", "yes", timeout=JOB_MS)
    answer.locator(".cites .cite").first.click()
    dialog = page.locator("#source")
    expect(dialog).to_be_visible()
    until(page, "document.getElementById('source-image').naturalWidth > 100")
    marked = page.locator("#source-text").inner_text()
    assert marked.strip()
    page.click("#source-link")
    expect(page.locator("#mark")).to_be_visible()
    assert page.locator("#mark").inner_text().split() == marked.split()
    until(page, "document.getElementById('sheet').naturalWidth > 100")
    visitor.check()


def _names(language: str, pdfs: list[Path]) -> list[str]:
    """Two documents, one of them in this language."""
    wanted = {q.document for q in demo_questions() if q.language == language}
    first = sorted(wanted)[0]
    return [first, next(p.name for p in pdfs if p.name != first)]
