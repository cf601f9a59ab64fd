"""Every page, in both languages, light and dark, wide and narrow: no serious violation, nothing foreign, no overflow."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from stack import Up

from lorag_demo.documents import demo_questions

from .conftest import AXE, VENDOR, Visitor, visit

PAGES = ("/", "/training", "/models", "/documents", "/ask", "/jobs", "/settings", "/docs", "/login")
LOOKS = [("ja", False, 1200), ("en", True, 1200), ("ja", True, 390), ("en", False, 390)]


def paths(up: Up) -> list[str]:
    document = up.http.get("/documents").json()["documents"][0]
    job = up.http.get("/jobs").json()["jobs"][0]
    return [*PAGES, f"/documents/{document['id']}?page=1&start=0&end=20", f"/jobs/{job['id']}"]


def serious(visitor: Visitor) -> list[str]:
    """What axe-core finds to be serious or critical."""
    # Handed to the page through the debugger, since the page's policy rightly lets no other script in.
    visitor.page.evaluate(AXE.read_text(encoding="utf-8"))
    found = visitor.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{v['id']} ({v['impact']}): {v['nodes'][0]['html'][:200]} {v['nodes'][0].get('failureSummary', '')[:300]}"
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(("language", "dark", "width"), LOOKS)
def test_no_serious_violation_on_any_page(
    browser: Browser, ready_up: Up, language: str, dark: bool, width: int
) -> None:
    visitor = visit(browser, ready_up.url, language, dark=dark, width=width)
    page, problems = visitor.page, {}
    shots = os.environ.get("LORAG_SCREENSHOTS")
    for path in paths(ready_up):
        visitor.go(path)
        page.wait_for_load_state("load")
        assert page.evaluate("document.documentElement.lang") == language
        assert page.locator("h1").count() == 1, path
        page.evaluate("document.querySelectorAll('main details').forEach((d) => { d.open = true })")
        if found := serious(visitor):
            problems[path] = found
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} is wider than the window"
        if shots:
            name = path.partition("?")[0].strip("/").replace("/", "-")[:24] or "overview"
            page.evaluate("document.querySelectorAll('main details').forEach((d) => { d.open = false })")
            look = f"{language}-{'dark' if dark else 'light'}-{width}"
            page.screenshot(path=Path(shots) / f"{name}-{look}.png", full_page=True)
    visitor.check()
    assert not problems, json.dumps(problems, indent=1, ensure_ascii=False)


def test_the_keyboard_reaches_everything_and_starts_at_the_content(browser: Browser, ready_up: Up) -> None:
    visitor = visit(browser, ready_up.url, "en")
    visitor.go("/ask")
    page = visitor.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "question"


def test_language_and_theme_can_be_switched_and_stay(browser: Browser, ready_up: Up) -> None:
    visitor = visit(browser, ready_up.url, "en")
    page = visitor.page
    visitor.go("/models")
    page.get_by_role("link", name="日本語").click()
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    # The module names the button when it has taken it over; a click before that would be nobody's.
    expect(page.locator("#theme")).to_have_attribute("title", "システムに合わせる")
    for _ in range(2):
        page.click("#theme")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    visitor.go("/jobs")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    visitor.check()


def test_an_answer_cannot_run_a_script_or_load_anything(browser: Browser, ready_up: Up) -> None:
    visitor = visit(browser, ready_up.url, "en")
    visitor.go("/ask")
    hostile = "**bold** <img src=x onerror=alert(1)> <script>alert(1)</script> <a href='javascript:alert(1)'>x</a> <form action='/logout'>"
    page = visitor.page
    found = page.evaluate(
        """async (text) => {
          const { write } = await import("/static/markdown.js");
          const place = document.createElement("div");
          document.body.append(place);
          await write(place, text);
          const bad = place.querySelectorAll("img, script, form, [onerror], a[href^='javascript']").length;
          return [place.querySelector("strong")?.textContent, bad, place.textContent];
        }""",
        hostile,
    )
    assert found[:2] == ["bold", 0]
    assert "<script>alert(1)</script>" in found[2], "it is shown as the text that it is"
    visitor.check()


def test_without_the_libraries_the_pages_say_so_and_work(browser: Browser, ready_up: Up) -> None:
    visitor = visit(browser, ready_up.url, "en")
    page = visitor.page
    page.route("**/static/vendor/**", lambda route: route.abort())
    page.goto(f"{ready_up.url}/ask")
    shown = page.evaluate(
        """async () => {
          const { write } = await import("/static/markdown.js");
          const place = document.createElement("div");
          await write(place, "**<b>plain</b>**");
          return place.textContent;
        }"""
    )
    assert shown == "**<b>plain</b>**"
    moved = VENDOR.with_name("vendor-away")
    VENDOR.rename(moved)
    try:
        page.goto(f"{ready_up.url}/ask")
        expect(page.locator(".notice.warn").first).to_contain_text("make web")
    finally:
        moved.rename(VENDOR)


def test_an_answer_survives_a_lost_connection(browser: Browser, ready_up: Up) -> None:
    visitor = visit(browser, ready_up.url, "en")
    visitor.go("/ask")
    question = next(q for q in demo_questions() if q.language == "en")
    found = visitor.page.evaluate(
        """async (question) => {
          const real = window.fetch;
          let lost = 0;
          window.fetch = async (...asked) => {
            const response = await real(...asked);
            if (!String(asked[0]).includes("/answers") || lost) return response;
            lost = 1;  // the network goes away behind the first piece
            const reader = response.body.getReader();
            const body = new ReadableStream({
              async start(stream) {
                stream.enqueue((await reader.read()).value);
                await reader.cancel();
                setTimeout(() => stream.error(new TypeError("network error")), 200);
              },
            });
            return new Response(body, { status: response.status, headers: response.headers });
          };
          const { answer } = await import("/static/api.js");
          const names = [];
          let said = "";
          for await (const [name, data] of answer({ question, temperature: 0, top_k: 3 }, new AbortController().signal)) {
            names.push(name);
            if (name === "text") said += data.text;
          }
          return { lost, names, said };
        }""",
        question.text,
    )
    assert found["lost"] == 1
    assert (found["names"].count("sources"), found["names"].count("end")) == (1, 1)
    assert question.value in found["said"]
    visitor.check()


def test_an_error_says_what_to_do(browser: Browser, ready_up: Up) -> None:
    visitor = visit(browser, ready_up.url, "en")
    page = visitor.page
    visitor.go("/documents")
    page.set_input_files("#document-file", {"name": "not.pdf", "mimeType": "application/pdf", "buffer": b"hello"})
    expect(page.locator(".uploads .notice.bad")).to_contain_text("Upload a PDF")
