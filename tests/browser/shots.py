"""`make shots`: pictures of every page, to be looked at by a person. They are evidence of nothing until somebody has.

Starts every service over a data folder of its own and photographs the first run; then makes a release, indexes documents,
lets two jobs fail, and photographs everything again: in Japanese and English, light and dark, wide and at a phone's width.
`--url` photographs a gateway that runs already, as it is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from lorag_cli.client import Client, CliError
from lorag_cli.demo import _services
from lorag_cli.output import follow
from lorag_demo.documents import demo_questions, write_documents
from lorag_demo.examples import DEMO_TRAINING, write_examples

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("LORAG_CHROMIUM") or shutil.which("chromium") or ""
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
LOOKS = [(lang, theme, width) for lang in ("ja", "en") for theme in ("light", "dark") for width in (1200, 390)]
PAGES = ("/", "/training", "/models", "/documents", "/ask", "/jobs", "/settings", "/docs", "/login")
WAIT_MS = 60_000


def training(page: Page, _: Client) -> None:
    """What the model will see, and what it will need."""
    page.fill("[name=base_model]", "tiny_base")
    for button, out in (("#preview", "#preview-out"), ("#estimate", "#estimate-out")):
        page.click(button)
        page.locator(f"{out} .card").wait_for()


def models(page: Page, _: Client) -> None:
    """The planner for two GPUs."""
    page.fill("[name=gpu_gib]", "24, 24")
    page.click("#plan")
    page.locator("#plan-out .card").wait_for()


def asked(page: Page, _: Client) -> None:
    """An answer with its citations."""
    language = page.evaluate("document.documentElement.lang")
    page.fill("#question", next(q.text for q in demo_questions() if q.language == language))
    page.locator("details.more summary").click()
    page.fill("[name=temperature]", "0")
    page.fill("[name=top_k]", "3")
    page.locator("details.more summary").click()
    page.locator("#ask [type=submit]").click()
    page.locator("[data-ended=yes]").wait_for()
    page.evaluate("document.querySelectorAll('.turn details').forEach((d) => { d.open = true })")


def cited(page: Page, client: Client) -> None:
    """The page that a citation names."""
    asked(page, client)
    page.locator(".cites .cite").first.click()
    while not page.evaluate("document.getElementById('source-image').naturalWidth"):
        page.wait_for_timeout(50)


def found(page: Page, _: Client) -> None:
    """A search without an answer."""
    language = page.evaluate("document.documentElement.lang")
    page.fill("#question", next(q.text for q in demo_questions() if q.language == language))
    page.click("#search")
    page.locator(".hit").first.wait_for()


def explained(page: Page, _: Client) -> None:
    """Search terms."""
    page.fill("#explain [name=text]", "外国人参政権と保証期間")
    page.locator("#explain [type=submit]").click()
    page.locator("#explain-out .token").first.wait_for()


def refused(page: Page, _: Client) -> None:
    """An upload that is refused."""
    page.set_input_files("#document-file", {"name": "報告書.pdf", "mimeType": "application/pdf", "buffer": b"hello"})
    page.locator(".uploads .notice.bad").wait_for()


Scene = tuple[str, str, Callable[[Page, Client], None] | None]


def scenes(client: Client) -> list[Scene]:
    """Name, address, and what to do there before the picture."""
    question = next(q for q in demo_questions() if q.language == "ja")
    hit = client.post("/search", {"query": question.text})["hits"][0]
    span = f"page={hit['page']}&start={hit['span_start']}&end={hit['span_end']}"
    jobs = client.get("/jobs")["jobs"]
    done = next(j for j in jobs if j["kind"] == "pipeline" and j["state"].endswith("SUCCEEDED"))
    failed = next(j for j in jobs if j["state"].endswith("FAILED"))
    return [
        *((p.strip("/") or "overview", p, None) for p in PAGES),
        ("training-looked", "/training", training),
        ("models-planned", "/models", models),
        ("ask-answered", "/ask", asked),
        ("ask-cited", "/ask", cited),
        ("ask-found", "/ask", found),
        ("settings-explained", "/settings", explained),
        ("documents-refused", "/documents", refused),
        ("document", f"/documents/{hit['document_id']}?{span}", None),
        ("job", f"/jobs/{done['id']}", None),
        ("job-failed", f"/jobs/{failed['id']}", None),
        ("missing", "/documents/0000", None),
    ]


def fill(client: Client, folder: Path) -> None:
    """What a user has after a day: a release that answers, documents, one that needs OCR, and a mistake."""
    write_examples(folder / "examples.jsonl")
    lines = (folder / "examples.jsonl").read_text(encoding="utf-8").splitlines()[:40]
    (folder / "社内QA_2026年度版.jsonl").write_text("\n".join([*lines, "これはJSONではありません"]) + "\n")
    client.upload("/datasets", folder / "社内QA_2026年度版.jsonl")
    dataset = client.upload("/datasets", folder / "examples.jsonl")["dataset"]["id"]
    body = {"model": "manual", "base_model": "tiny_base"}
    pipelines = [
        {**body, "base_only": True, "activate": True, "evaluate": False},
        {**body, "dataset_id": dataset, "settings": DEMO_TRAINING},
        {**body, "base_model": "tiny_bass", "dataset_id": dataset, "settings": DEMO_TRAINING},
    ]
    for one in pipelines:
        try:
            follow(client, client.post("/pipelines", one)["job"], quiet=True)
        except CliError as error:
            sys.stderr.write(f"as meant, a job failed: {error.message}\n")
    for pdf in [*write_documents(folder / "pdf"), ROOT / "tests" / "data" / "handbook_ja.pdf"]:
        follow(client, client.upload("/documents", pdf)["job"], quiet=True)


def photograph(
    browser: Browser, client: Client, folder: Path, wanted: list[Scene], looks: list[tuple[str, str, int]]
) -> None:
    """Each scene in each look: `<name>-<language>-<theme>-<width>.png`."""
    for language, theme, width in looks:
        context = browser.new_context(locale=language, color_scheme=theme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("console", _tell)
        for name, path, prepare in wanted:
            page.goto(client.url + path)
            page.wait_for_timeout(300)
            if prepare:
                prepare(page, client)
            if (shown := page.evaluate("document.documentElement.scrollWidth")) > width:
                sys.stderr.write(f"{name} ({language}) is {shown} px wide in a window of {width}\n")
            whole = not page.locator("dialog[open]").count()
            page.screenshot(path=folder / f"{name}-{language}-{theme}-{width}.png", full_page=whole)
        context.close()


def _tell(message: ConsoleMessage) -> None:
    if message.type == "error":
        sys.stderr.write(f"{message.location['url']}: {message.text}\n")


@contextmanager
def _gateway(url: str, folder: Path) -> Iterator[Client]:
    if url:
        yield Client(url)
        return
    with _services(folder, ROOT / "demo", True) as client:
        yield client


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--url", default="", help="a gateway that runs already; nothing is put into it but by --fill")
    parser.add_argument("--first-run", action="store_true", help="with --url: the pages alone, as they are")
    parser.add_argument(
        "--fill", action="store_true", help="with --url: put the release and the documents into it first"
    )
    parser.add_argument("--only", action="append", default=[], help="scenes whose names begin so")
    parser.add_argument("--look", action="append", default=[], help="e.g. ja-dark-390; all eight when not given")
    given = parser.parse_args()
    looks = [x for x in LOOKS if not given.look or "-".join(map(str, x)) in given.look]
    given.folder.mkdir(parents=True, exist_ok=True)
    first = [(f"first-{p.strip('/') or 'overview'}", p, None) for p in PAGES]

    def only(scenes: list[Scene]) -> list[Scene]:
        return [s for s in scenes if not given.only or s[0].startswith(tuple(given.only))]

    with (
        tempfile.TemporaryDirectory(prefix="lorag-shots-") as name,
        _gateway(given.url, Path(name)) as client,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        if not given.url or given.first_run:
            photograph(browser, client, given.folder, only(first), looks)
        if not given.url or given.fill:
            fill(client, Path(name))
        if not given.first_run:
            photograph(browser, client, given.folder, only(scenes(client)), looks)
        browser.close()


if __name__ == "__main__":
    main()
