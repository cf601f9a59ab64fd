"""LlamaIndex's usual way from PDFs to a filled index; run by `bench.peers` in an environment of its own."""

from __future__ import annotations

import json
import resource
import sys
import time

from llama_index.core import MockEmbedding, SimpleDirectoryReader, VectorStoreIndex

started = time.perf_counter()
pages = SimpleDirectoryReader(sys.argv[1], required_exts=[".pdf"]).load_data()
VectorStoreIndex.from_documents(pages, embed_model=MockEmbedding(embed_dim=64))
seconds = time.perf_counter() - started
texts: dict[str, str] = {}
for page in pages:
    name = page.metadata["file_name"]
    texts[name] = texts.get(name, "") + page.text
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "peak_rss_mib": round(peak), "texts": texts}))
