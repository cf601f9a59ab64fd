"""A real Chromium, the pages' libraries, and what a page did that it should not."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from stack import ROOT

CHROMIUM = os.environ.get("LORAG_CHROMIUM") or shutil.which("chromium") or ""
AXE = ROOT / "gateway" / "web" / "node_modules" / "axe-core" / "axe.min.js"
VENDOR = ROOT / "gateway" / "lorag_gateway" / "pages" / "static" / "vendor"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
# Chromium on two busy cores.
PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)
_LISTEN = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # No longer than a module: while Playwright is there its event loop runs, and asynchronous tests cannot start theirs.
    if not CHROMIUM:
        pytest.skip("no Chromium: install it (Debian: chromium), or name one in LORAG_CHROMIUM")
    if not AXE.exists() or not VENDOR.exists():
        pytest.skip("the pages' libraries are not there: make web")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@dataclass
class Visitor:
    """A page in a browser of its own, and what went wrong on it."""

    page: Page
    base: str
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.check()
        self.page.goto(self.base + path)

    def check(self) -> None:
        """No request left the origin, no policy was violated, no script failed."""
        assert not self.foreign, f"requests left the origin: {self.foreign}"
        assert not self.errors, self.errors
        if self.page.url != "about:blank":
            assert self.page.evaluate("window.violations") == []


def visit(browser: Browser, base: str, language: str, *, dark: bool = False, width: int = 1200) -> Visitor:
    context = browser.new_context(
        locale={"ja": "ja-JP", "en": "en-US"}[language],
        color_scheme="dark" if dark else "light",
        viewport={"width": width, "height": 900},
    )
    context.add_init_script(_LISTEN)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    found = Visitor(page, base)
    page.on("request", lambda r: None if r.url.startswith((base, "data:", "blob:")) else found.foreign.append(r.url))
    page.on("pageerror", lambda e: found.errors.append(str(e)))
    page.on("console", lambda m: found.errors.append(m.text) if m.type == "error" else None)
    return found


def drop(page: Page, selector: str, files: list[Path]) -> None:
    """Drop files on an element, as a mouse does."""
    import base64

    content = [{"name": f.name, "bytes": base64.b64encode(f.read_bytes()).decode()} for f in files]
    transfer = page.evaluate_handle(
        """(files) => {
          const transfer = new DataTransfer();
          for (const f of files) {
            const bytes = Uint8Array.from(atob(f.bytes), (c) => c.charCodeAt(0));
            transfer.items.add(new File([bytes], f.name));
          }
          return transfer;
        }""",
        content,
    )
    page.dispatch_event(selector, "dragover", {"dataTransfer": transfer})
    page.dispatch_event(selector, "drop", {"dataTransfer": transfer})


def until(page: Page, script: str, ms: float = PATIENCE_MS) -> None:
    """Wait until a script is true. Through the debugger: the page's policy rightly lets nothing be evaluated in it."""
    deadline = time.monotonic() + ms / 1000
    while not page.evaluate(script):
        assert time.monotonic() < deadline, f"never came true: {script}"
        page.wait_for_timeout(50)
