"""A browser that is asked for a key: the form lets the right one in and no other, and out again.

Only the gateway runs here, so the overview also shows what it does when nothing else answers.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from lorag_cli.demo import _free_ports
from lorag_gateway.access.keys import Keys, Scope

from .conftest import visit


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address of a gateway that asks for keys, and an admin's."""
    _, secret = Keys(tmp_path).create("laptop", Scope.ADMIN)
    port = _free_ports(1)[0]
    environment = {"LORAG_DATA": str(tmp_path), "LORAG_KEYS": "required"}
    # Services that nobody runs, whatever else runs on this machine.
    environment |= {f"LORAG_{name}_ADDRESS": "127.0.0.1:9" for name in ("TRAINER", "CONVERTER", "INDEXER", "QA")}
    environment |= {"LORAG_PORT": str(port), "LORAG_OLLAMA_URL": "http://127.0.0.1:9"}
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([sys.executable, "-m", "lorag_gateway"], env=os.environ | environment) as process:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    if httpx.get(f"{url}/livez").is_success:
                        break
                except httpx.TransportError:
                    assert process.poll() is None and time.monotonic() < deadline
                    time.sleep(0.1)
            yield url, secret
        finally:
            process.terminate()


def test_the_right_key_lets_in_and_out_again(browser: Browser, closed: tuple[str, str]) -> None:
    url, secret = closed
    visitor = visit(browser, url, "ja")
    page = visitor.page
    visitor.go("/models")
    expect(page).to_have_url(f"{url}/login")
    page.fill("[name=key]", "lorag_wrong")
    page.locator("main [type=submit]").click()
    expect(page.locator(".notice.bad")).to_contain_text("登録されていません")
    visitor.errors.clear()  # the browser itself notes a 401 on its console
    page.fill("[name=key]", secret)
    page.locator("main [type=submit]").click()
    expect(page).to_have_url(f"{url}/")
    expect(page.locator(".health .dot.ill")).to_have_count(5)
    expect(page.locator("#active-h + .notice.bad")).to_contain_text("lorag up")
    page.get_by_role("button", name="サインアウト").click()
    expect(page).to_have_url(f"{url}/login")
    visitor.go("/settings")
    expect(page).to_have_url(f"{url}/login")
    visitor.check()
