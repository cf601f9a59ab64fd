"""Idle watchers and busy questions: does the page stay quick, and is no watcher lost?

`python -m bench.gateway` starts every service over a data folder of its own, releases the tiny base, indexes the demo's
documents and opens 200 event streams on two conversions that stand still. Then 32 questions are asked at once, while the
pages are fetched one after another. At the end the conversions are cancelled, and every watcher must hear of it.

Prints one line of JSON last: `watchers_lost`, `page_p95_ms` (of whole server-rendered pages), `peak_rss_bytes` of the
gateway, and how the questions fared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from lorag_cli.client import Client
from lorag_cli.demo import _services
from lorag_cli.output import follow
from lorag_demo.documents import demo_questions, write_documents

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("/", "/training", "/models", "/documents", "/ask", "/jobs", "/settings")
FINAL = ("JOB_STATE_CANCELLED", "JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED")
WAIT_SECONDS = 120.0


def main() -> None:
    """Prepare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--questions", type=int, default=32, help="how many people ask at once")
    parser.add_argument("--rounds", type=int, default=4, help="questions that each of them asks, one after another")
    given = parser.parse_args()
    os.environ["LORAG_REQUESTS_PER_MINUTE"] = "0"
    with (
        tempfile.TemporaryDirectory(prefix="lorag-bench-") as name,
        _services(Path(name), ROOT / "demo", True) as client,
    ):
        jobs, child = _prepare(client, Path(name))
        print(json.dumps(asyncio.run(_measure(client, jobs, child, given.watchers, given.questions, given.rounds))))


def _prepare(client: Client, folder: Path) -> tuple[list[str], psutil.Process]:
    """A release that answers, documents, and two conversions: one that stands still in mid-work, one queued behind it."""
    body = {"model": "bench", "base_model": "tiny_base", "base_only": True, "evaluate": False}
    follow(client, client.post("/pipelines", body)["job"], quiet=True)
    for pdf in write_documents(folder / "pdf"):
        follow(client, client.upload("/documents", pdf)["job"], quiet=True)
    # Not trainings: while one of these runs no question is answered, since it holds the GPU.
    conversion = {"model": "still", "base_model": "tiny_base", "base_only": True}
    jobs = [client.post("/conversions", conversion)["job"]["id"] for _ in range(2)]
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        for process in psutil.Process().children(recursive=True):
            if "lorag_common.child" in process.cmdline() and jobs[0] in " ".join(process.cmdline()):
                for one in (process, *process.children(recursive=True)):
                    one.send_signal(signal.SIGSTOP)
                return jobs, process
        time.sleep(0.02)
    sys.exit("the conversion did not start")


async def _measure(
    client: Client, jobs: list[str], child: psutil.Process, watchers: int, questions: int, rounds: int
) -> dict[str, Any]:
    gateway = next(p for p in psutil.Process().children(recursive=True) if p.cmdline()[-1:] == ["lorag_gateway"])
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    timeout = httpx.Timeout(WAIT_SECONDS, connect=30)
    async with httpx.AsyncClient(base_url=client.url, limits=limits, timeout=timeout, trust_env=False) as http:
        seen: list[str] = [""] * watchers
        watching = [asyncio.create_task(_watch(http, jobs[i % len(jobs)], seen, i)) for i in range(watchers)]
        await _until(lambda: all(seen))
        calm, _ = await _pages(http, asyncio.create_task(asyncio.sleep(5)))
        asked = asyncio.gather(*(_ask_in_turn(http, i, rounds) for i in range(questions)))
        busy, failed = await _pages(http, asyncio.ensure_future(asked))
        outcomes = [outcome for person in await asked for outcome in person]
        for job in jobs:
            (await http.post(f"/api/v1/jobs/{job}:cancel")).raise_for_status()
        for one in (child, *child.children(recursive=True)):
            one.send_signal(signal.SIGCONT)
        await asyncio.wait(watching, timeout=WAIT_SECONDS)
        lost = sum(state not in FINAL for state in seen)
        for task in watching:
            task.cancel()
    return {
        "bench": "gateway",
        "watchers": watchers,
        "watchers_lost": lost,
        "questions_at_once": questions,
        "questions": len(outcomes),
        "questions_answered": sum(outcome is not None for outcome in outcomes),
        "answer_p50_seconds": round(_percentile([o for o in outcomes if o is not None], 0.5), 2),
        "pages": len(busy),
        "pages_failed": failed,
        "page_p50_ms": round(_percentile(busy, 0.5), 1),
        "page_p95_ms": round(_percentile(busy, 0.95), 1),
        "page_p95_ms_without_questions": round(_percentile(calm, 0.95), 1),
        "peak_rss_bytes": _peak_rss(gateway.pid),
        "processors": os.cpu_count(),
    }


async def _watch(http: httpx.AsyncClient, job: str, seen: list[str], i: int) -> None:
    async with http.stream("GET", f"/api/v1/jobs/{job}/events") as events:
        async for line in events.aiter_lines():
            if line.startswith("data: "):
                seen[i] = json.loads(line[6:])["state"]


async def _ask_in_turn(http: httpx.AsyncClient, person: int, rounds: int) -> list[float | None]:
    """One person's questions, one after another."""
    return [await _ask(http, person + n) for n in range(rounds)]


async def _ask(http: httpx.AsyncClient, i: int) -> float | None:
    """Seconds to the end of an answer, None when it failed."""
    question = demo_questions()[i % len(demo_questions())].text
    body = {"question": question, "temperature": 0, "max_tokens": 64, "top_k": 3}
    started = time.monotonic()
    async with http.stream("POST", "/api/v1/answers", json=body) as events:
        async for line in events.aiter_lines():
            if line == "event: end":
                return time.monotonic() - started
    return None


async def _pages(http: httpx.AsyncClient, until: asyncio.Future[Any]) -> tuple[list[float], int]:
    """Milliseconds of each page, fetched one after another until something is done, and how many failed."""
    times, failed, n = [], 0, 0
    while not until.done():
        started = time.monotonic()
        response = await http.get(PAGES[n % len(PAGES)])
        times.append((time.monotonic() - started) * 1000)
        failed += response.status_code != httpx.codes.OK
        n += 1
        await asyncio.sleep(0.1)
    return times, failed


async def _until(true: Any) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        if time.monotonic() > deadline:
            sys.exit("not every watcher was let in")
        await asyncio.sleep(0.1)


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values) or [float("nan")]
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def _peak_rss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return psutil.Process(pid).memory_info().rss


if __name__ == "__main__":
    main()
