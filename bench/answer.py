"""What do qa, gateway and retrieval add to an answer over asking the model server directly?

    python -m bench.answer [--chunks 10000] [--questions 48] [--clients 16]

Starts every service over a data folder of its own, releases the tiny base on the embedded model server, and indexes
documents of invented facts until they are that many chunks. Every question is asked through the gateway (hybrid search with
vectors, prompt, generation, check of the answer), and, right before or after, of the model server directly: with the same
passages in a prompt of the same number of tokens, which is checked, and the same options. So the difference of the two is
what the rest adds. Then as many clients as named do both at once.

Prints one line of JSON last: `added_ttft_p50_ms` at one client (the median of the differences of the pairs; time to first
token), 95th percentiles and tokens per second on both ways, and where the added time goes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from lorag_cli.client import Client
from lorag_cli.demo import _services
from lorag_cli.output import follow
from lorag_common.model_server import AsyncModelServer
from lorag_common.prompts import Passage
from lorag_demo.facts import FactSource
from lorag_qa import releases
from lorag_qa.prompt import Prompt, prepare

ROOT = Path(__file__).resolve().parents[1]
MODEL, RELEASE = "bench", "bench:v1"
VECTOR_WEIGHT = 0.3
TOP_K = 3
MAX_TOKENS = 64
FACTS_A_FILE = 2000
WARM = 5


@dataclass(frozen=True)
class Took:
    """One answer: seconds to the first token and from it to the last, and the tokens of prompt and answer."""

    first: float
    rest: float
    prompt: int
    answer: int


@dataclass(frozen=True)
class Through:
    """An answer through the gateway, and the prompt that the model was given for it."""

    took: Took
    sources: list[dict[str, Any]]
    room: int


def main() -> None:
    """Prepare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--questions", type=int, default=48)
    parser.add_argument("--clients", type=int, default=16)
    given = parser.parse_args()
    os.environ["LORAG_REQUESTS_PER_MINUTE"] = "0"
    with (
        tempfile.TemporaryDirectory(prefix="lorag-bench-") as name,
        _services(Path(name), ROOT / "demo", True) as client,
    ):
        started = time.monotonic()
        chunks, questions = _prepare(client, Path(name), given.chunks, given.questions + WARM)
        print(f"{chunks} chunks are indexed after {time.monotonic() - started:.0f} s", file=sys.stderr)
        bench = _Bench(client, Path(name) / "data")
        found = asyncio.run(bench.run(questions, given.clients))
    print(json.dumps({"bench": "answer", "chunks": chunks} | found | {"processors": os.cpu_count()}))


def _prepare(client: Client, folder: Path, chunks: int, questions: int) -> tuple[int, list[str]]:
    """A release that answers, and documents of facts; the chunks there are, and questions about some of the facts."""
    body = {"model": MODEL, "base_model": "tiny_base", "base_only": True, "evaluate": False}
    follow(client, client.post("/pipelines", body)["job"], quiet=True)
    pick = random.Random(0)
    source = FactSource(pick, "ja")
    # Chunks overlap by a sentence, so there are about as many of them as facts.
    facts = [source.fact() for _ in range(chunks + chunks // 50)]
    for n in range(0, len(facts), FACTS_A_FILE):
        path = folder / f"facts-{n // FACTS_A_FILE}.txt"
        path.write_text("\n".join(fact.statement for fact in facts[n : n + FACTS_A_FILE]), encoding="utf-8")
        follow(client, client.upload("/documents", path)["job"], quiet=True)
    listed = client.get("/documents", page_size=200)["documents"]
    client.patch("/config", {"vector_weight": VECTOR_WEIGHT, "temperature": 0, "top_k": TOP_K})
    return sum(d["chunk_count"] for d in listed), [fact.question for fact in pick.sample(facts, questions)]


class _Bench:
    def __init__(self, client: Client, data: Path) -> None:
        config = client.get("/config")["config"]
        self._gateway = httpx.AsyncClient(base_url=f"{client.url}/api/v1", timeout=300, trust_env=False)
        self._server = AsyncModelServer(config["base_url"])
        self._release = releases.get(data, RELEASE)
        self._options = {"num_ctx": config["num_ctx"], "num_predict": MAX_TOKENS, "temperature": 0.0}

    async def run(self, questions: Sequence[str], clients: int) -> dict[str, Any]:
        """Both ways, one question after another and many at once."""
        for question in questions[:WARM]:
            await self._direct((await self._through(question)), question)
        asked = questions[WARM:]
        pairs = [await self._pair(question, n) for n, question in enumerate(asked)]
        added = [through.first - direct.first for through, direct in pairs]
        search = [await self._search(question) for question in asked]
        one = {
            "added_ttft_p50_ms": _ms(statistics.median(added)),
            "added_ttft_p95_ms": _ms(_percentile(added, 0.95)),
            "direct_ttft_p50_ms": _ms(statistics.median(d.first for _, d in pairs)),
            "search_p50_ms": _ms(statistics.median(search)),
            "prompt_tokens_p50": statistics.median(t.prompt for t, _ in pairs),
            "tokens_per_second": round(_rate([t for t, _ in pairs]), 1),
            "direct_tokens_per_second": round(_rate([d for _, d in pairs]), 1),
        }
        return one | {"vector_weight": VECTOR_WEIGHT, "questions": len(pairs)} | await self._crowd(asked, clients)

    async def _crowd(self, questions: Sequence[str], clients: int) -> dict[str, Any]:
        """The same with many clients, each with one question after another; first through the gateway, then directly."""
        prompts = {}
        for question in questions:
            through = await self._through(question)
            prompts[question] = self._prompt(through, question)

        async def directly(question: str) -> Took:
            return await self._generate(prompts[question])

        async def through(question: str) -> Took:
            return (await self._through(question)).took

        ours, our_seconds = await _at_once(questions, clients, through)
        theirs, their_seconds = await _at_once(questions, clients, directly)
        p95, direct = (_percentile([t.first for t in side], 0.95) for side in (ours, theirs))
        name = f"{clients}_clients"
        return {
            f"ttft_p95_ms_{name}": _ms(p95),
            f"direct_ttft_p95_ms_{name}": _ms(direct),
            f"added_ttft_p95_ms_{name}": _ms(p95 - direct),
            f"tokens_per_second_{name}": round(sum(t.answer for t in ours) / our_seconds, 1),
            f"direct_tokens_per_second_{name}": round(sum(t.answer for t in theirs) / their_seconds, 1),
        }

    async def _pair(self, question: str, n: int) -> tuple[Took, Took]:
        """One question both ways; which goes first changes, so that neither finds the machine warmer."""
        through = await self._through(question)
        direct = await self._direct(through, question)
        if n % 2:
            through = await self._through(question)
        return through.took, direct

    async def _direct(self, through: Through, question: str) -> Took:
        return await self._generate(self._prompt(through, question))

    def _prompt(self, through: Through, question: str) -> Prompt:
        """The prompt that the model was given: the nonce is another one, the number of tokens is not."""
        passages = [Passage(s["text"], s["document_name"], s["page"]) for s in through.sources]
        while True:
            prompt = prepare(self._release, question, passages, (), through.room)
            if prompt.tokens == through.took.prompt:
                return prompt

    async def _generate(self, prompt: Prompt) -> Took:
        started, first, last = time.monotonic(), 0.0, None
        async for part in self._server.generate(
            RELEASE, prompt.text, raw=True, stop=list(self._release.stop), **self._options
        ):
            first = first or (time.monotonic() if part.response else 0.0)
            last = part
        ended = time.monotonic()
        assert last is not None and last.prompt_eval_count == prompt.tokens, "another prompt than the one that qa sent"
        return Took(first - started, ended - first, prompt.tokens, int(last.eval_count or 0))

    async def _through(self, question: str) -> Through:
        body = {"question": question, "max_tokens": MAX_TOKENS}
        started, first, ended, event = time.monotonic(), 0.0, 0.0, ""
        found: dict[str, Any] = {}
        async with self._gateway.stream("POST", "/answers", json=body) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    event = line[7:]
                    first = first or (time.monotonic() if event == "text" else 0.0)
                    ended = time.monotonic()
                elif line.startswith("data: ") and event in ("sources", "end", "error"):
                    found[event] = json.loads(line[6:])
        assert "end" in found, found
        tokens = found["end"]["tokens"]
        took = Took(first - started, ended - first, tokens["sent"], tokens["answer"])
        return Through(took, found["sources"]["sources"], tokens["budgeted"])

    async def _search(self, question: str) -> float:
        started = time.monotonic()
        (await self._gateway.post("/search", json={"query": question, "top_k": TOP_K})).raise_for_status()
        return time.monotonic() - started


async def _at_once(
    questions: Sequence[str], clients: int, ask: Callable[[str], Awaitable[Took]]
) -> tuple[list[Took], float]:
    """Every question once, by that many clients; and the seconds that it took in all."""
    left = list(questions)
    took: list[Took] = []

    async def client() -> None:
        while left:
            took.append(await ask(left.pop()))

    started = time.monotonic()
    await asyncio.gather(*(client() for _ in range(clients)))
    return took, time.monotonic() - started


def _rate(answers: Sequence[Took]) -> float:
    """Tokens per second after the first one."""
    return sum(t.answer - 1 for t in answers) / sum(t.rest for t in answers)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


if __name__ == "__main__":
    main()
