"""Other projects' usual hybrid set-ups on our data, in an environment of their own: they are in no environment of ours.

    python -m venv PEERS && PEERS/bin/pip install haystack-ai pypdf nltk llama-index-core \
        llama-index-retrievers-bm25 llama-index-readers-file
    python -m bench.retrieval --data FILE --peers-python PEERS/bin/python

What does not install is reported as skipped, with the reason. A peer gets the same texts, vectors and questions as we do and
is set up as its own documentation shows: BM25 with its default tokenizer, vectors, and its own way of joining the two.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

PEERS = ("haystack", "llama_index")
SECONDS = 400.0


def run(
    python: str,
    texts: Sequence[str],
    vectors: np.ndarray,
    queries: Sequence[str],
    query_vectors: np.ndarray,
    top_k: int = 10,
) -> dict[str, dict[str, Any]]:
    """Peer -> `found` (lists of text numbers, best first) and `seconds` a query, or `skipped` with the reason.

    Args:
        python: interpreter of the peers' environment; empty skips them.
        texts: what is searched.
        vectors: of the texts, shape [texts, dimension].
        queries: what is asked.
        query_vectors: of the queries, shape [queries, dimension].
        top_k: hits wanted.
    """
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder) / "task.json"
        task.write_text(json.dumps({"texts": list(texts), "queries": list(queries), "top_k": top_k}), encoding="utf-8")
        np.savez(Path(folder) / "vectors.npz", texts=vectors, queries=query_vectors)
        return {peer: _answer(python, f"peer_{peer}.py", Path(folder)) for peer in PEERS}


def ingest(python: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Peer -> `seconds`, `peak_rss_mib` and `texts` (file name -> what it read of it), or `skipped` with the reason.

    Args:
        python: as for `run`.
        folder: PDFs.
    """
    return {peer: _answer(python, f"peer_{peer}_ingest.py", folder) for peer in PEERS}


def _answer(python: str, script: str, folder: Path) -> dict[str, Any]:
    if not python:
        return {"skipped": "no --peers-python was given"}
    command = [python, str(Path(__file__).with_name(script)), str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"skipped": f"{type(error).__name__}: {error}"[:200]}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return {"skipped": (done.stderr.strip().splitlines() or ["no output"])[-1][:200]}
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer
