"""LlamaIndex's usual way from PDFs to a filled index; run by `bench.peers` in an environment of its own."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from llama_index.core import MockEmbedding, SimpleDirectoryReader, VectorStoreIndex

texts: dict[str, str] = {}
failed = 0
started = time.perf_counter()
index = VectorStoreIndex([], embed_model=MockEmbedding(embed_dim=64))
for file in sorted(Path(sys.argv[1]).glob("*.pdf")):
    try:
        pages = SimpleDirectoryReader(input_files=[file]).load_data()
        for page in pages:
            index.insert(page)
        texts[file.name] = "".join(page.text for page in pages)
    except UnicodeError:
        # Half of a surrogate pair, from a font it reads in the wrong encoding, which it cannot hash.
        failed += 1
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "peak_rss_mib": round(peak), "failed": failed, "texts": texts}))
