"""Haystack's in-memory hybrid retrieval; run by `bench.peers` in an environment of its own."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from haystack import Document
from haystack.components.joiners import DocumentJoiner
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore

folder = Path(sys.argv[1])
task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
vectors = np.load(folder / "vectors.npz")
store = InMemoryDocumentStore(embedding_similarity_function="cosine")
store.write_documents(
    [
        Document(id=str(n), content=text, embedding=vector.tolist())
        for n, (text, vector) in enumerate(zip(task["texts"], vectors["texts"], strict=True))
    ]
)
keyword = InMemoryBM25Retriever(store, top_k=50)
dense = InMemoryEmbeddingRetriever(store, top_k=50)
joiner = DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=task["top_k"])
found, keywords, seconds = [], [], []
for query, vector in zip(task["queries"], vectors["queries"], strict=True):
    started = time.perf_counter()
    by_keyword = keyword.run(query=query)["documents"]
    by_vector = dense.run(query_embedding=vector.tolist())["documents"]
    joined = joiner.run(documents=[by_keyword, by_vector])["documents"]
    seconds.append(time.perf_counter() - started)
    found.append([int(d.id) for d in joined])
    keywords.append([int(d.id) for d in by_keyword[: task["top_k"]]])
print(json.dumps({"found": found, "keywords": keywords, "seconds": seconds}))
