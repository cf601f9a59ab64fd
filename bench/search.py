"""How long does a hybrid search take among many chunks? Ours and other projects' usual set-ups, on the same data in one run.

    python -m bench.search [--data FILE] [--chunks 100000] [--peers-python PYTHON]

Chunks are made of the sentences of a JSQuAD-format file (by default LORAG_JSQUAD's), shuffled; without a file, of the test
handbook's sentences. Vectors are drawn around 500 centres, as those of real embedders are. Times are of one search after the
other: tokenising the query, both legs, fusion; the embedding of the query is left out. Prints JSON; a peer's ratio is its
95th percentile divided by ours.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from pathlib import Path

import numpy as np

from bench import jsquad, peers
from lorag_indexer.chunks import Chunk, sentence_spans
from lorag_indexer.fusion import candidates_for, fuse
from lorag_indexer.lancedb_store import LanceDatabase
from lorag_indexer.pdf import OpenPdf
from lorag_indexer.store import EVERYWHERE, Entry
from lorag_indexer.tokens import best_tokenizer

HANDBOOK = Path(__file__).resolve().parents[1] / "tests" / "data" / "handbook_ja.pdf"
DIMENSION = 384
CENTRES = 500
CHARACTERS = 220
TOP_K = 10
WRITTEN_AT_ONCE = 5000
WEIGHT = 0.3


def sentences(data: str) -> tuple[list[str], list[str]]:
    """Sentences to make chunks of, and questions."""
    if data:
        task = jsquad.load(Path(data))
        texts, questions = task.paragraphs, [q for q, _ in task.scored]
    else:
        pdf = OpenPdf(HANDBOOK)
        texts = [pdf.page(n).text for n in range(1, pdf.page_count + 1)]
        questions = ["有給休暇の上限は何日か", "出張の日当はいくらですか", "地震のときの集合場所はどこですか"] * 100
    return [text[a:b] for text in texts for a, b in sentence_spans(text) if b - a > 5], questions


def vectors(count: int, chance: np.random.Generator, centres: np.ndarray) -> np.ndarray:
    """Unit vectors around the centres, shape [count, DIMENSION]."""
    rows = centres[chance.integers(0, len(centres), count)] + 0.6 * chance.normal(size=(count, DIMENSION))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def main() -> None:
    """Build, search, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("LORAG_JSQUAD", ""), help="a file in JSQuAD's format")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--peer-queries", type=int, default=20, help="queries that the peers are asked")
    parser.add_argument("--peers-python", default="", help="interpreter of an environment that has the peers")
    options = parser.parse_args()
    pick, chance = random.Random(0), np.random.default_rng(0)
    tokenizer = best_tokenizer()
    parts, questions = sentences(options.data)
    # Sentences end at punctuation, over which no term reaches: the terms of a chunk are those of its sentences.
    terms = [tokenizer.terms(part) for part in parts]
    texts: list[str] = []
    entries: list[Entry] = []
    centres = chance.normal(size=(CENTRES, DIMENSION))
    rows = vectors(options.chunks, chance, centres)
    for n in range(options.chunks):
        chosen, length = [], 0
        while length < CHARACTERS:
            i = pick.randrange(len(parts))
            chosen.append(i)
            length += len(parts[i])
        texts.append("".join(parts[i] for i in chosen))
        chunk = Chunk(str(n), f"d{n // 1000}", n % 1000 + 1, 0, len(texts[-1]), texts[-1])
        entries.append(Entry(chunk, rows[n], [t for i in chosen for t in terms[i]]))
    asked = [pick.choice(questions) for _ in range(options.queries)]
    query_vectors = vectors(options.queries, chance, centres)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        store = LanceDatabase(Path(folder)).open("chunks", DIMENSION)
        for begin in range(0, len(entries), WRITTEN_AT_ONCE):
            some = entries[begin : begin + WRITTEN_AT_ONCE]
            for document in dict.fromkeys(e.chunk.document_id for e in some):
                mine = [e for e in some if e.chunk.document_id == document]
                store.replace_pages(document, [e.chunk.page for e in mine], mine)
        store.optimize()
        build = time.perf_counter() - started
        del entries
        limit = candidates_for(TOP_K)
        took: dict[str, list[float]] = {"hybrid": [], "keyword": [], "vector": [], "tokenise": []}
        for warm in (True, False):
            for query, vector in list(zip(asked, query_vectors, strict=True))[: 20 if warm else None]:
                times = [time.perf_counter()]
                words = tokenizer.terms(query)
                times.append(time.perf_counter())
                nearest = store.nearest(vector, limit, EVERYWHERE)
                times.append(time.perf_counter())
                matching = store.matching(words, limit, EVERYWHERE)
                times.append(time.perf_counter())
                fuse(nearest, matching, WEIGHT, TOP_K)
                times.append(time.perf_counter())
                if not warm:
                    took["tokenise"].append(times[1] - times[0])
                    took["vector"].append(times[2] - times[1])
                    took["keyword"].append(times[3] - times[2])
                    took["hybrid"].append(times[4] - times[0])
    result: dict[str, object] = {"bench": "search", "chunks": options.chunks, "dimension": DIMENSION, "top_k": TOP_K}
    result |= {"queries": options.queries, "data": bool(options.data), "build_seconds": round(build, 1)}
    for name, seconds in took.items():
        p50, p95 = jsquad.percentiles(seconds)
        result |= {f"{name}_p50_ms": round(p50, 2), f"{name}_p95_ms": round(p95, 2)}
    few = options.peer_queries
    beside = peers.run(options.peers_python, texts, rows, asked[:few], query_vectors[:few], TOP_K)
    _, ours = jsquad.percentiles(took["hybrid"])
    for peer in beside.values():
        if "skipped" not in peer:
            p50, p95 = jsquad.percentiles(peer.pop("seconds"))
            peer.pop("found")
            peer.pop("keywords")
            peer |= {"p50_ms": round(p50, 2), "p95_ms": round(p95, 2), "ratio": round(p95 / ours, 1)}
    print(json.dumps(result | {"peers": beside}))


if __name__ == "__main__":
    main()
