"""LlamaIndex's hybrid retrieval (vector index, BM25 retriever, query fusion); run by `bench.peers` in its own environment."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import TextNode
from llama_index.retrievers.bm25 import BM25Retriever

folder = Path(sys.argv[1])
task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
vectors = np.load(folder / "vectors.npz")
known = {query: vector.tolist() for query, vector in zip(task["queries"], vectors["queries"], strict=True)}


class Given(BaseEmbedding):
    """Looks the query's vector up, so that embedding is not part of the time."""

    def _get_query_embedding(self, query: str) -> list[float]:
        return known[query]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return known[query]

    def _get_text_embedding(self, text: str) -> list[float]:
        raise NotImplementedError(text)


nodes = [
    TextNode(id_=str(n), text=text, embedding=vector.tolist())
    for n, (text, vector) in enumerate(zip(task["texts"], vectors["texts"], strict=True))
]
index = VectorStoreIndex(nodes=nodes, embed_model=Given())
dense = index.as_retriever(similarity_top_k=50)
keyword = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=min(50, len(nodes)))
hybrid = QueryFusionRetriever(
    [dense, keyword],
    similarity_top_k=task["top_k"],
    num_queries=1,
    mode="reciprocal_rerank",
    use_async=False,
    llm=MockLLM(),
)
found, keywords, seconds = [], [], []
for query in task["queries"]:
    started = time.perf_counter()
    hits = hybrid.retrieve(query)
    seconds.append(time.perf_counter() - started)
    found.append([int(h.node.node_id) for h in hits])
    keywords.append([int(h.node.node_id) for h in keyword.retrieve(query)[: task["top_k"]]])
print(json.dumps({"found": found, "keywords": keywords, "seconds": seconds}))
