"""Haystack's usual way from PDFs to a filled store; run by `bench.peers` in an environment of its own."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from haystack.components.converters import PyPDFToDocument
from haystack.components.preprocessors import DocumentSplitter
from haystack.components.writers import DocumentWriter
from haystack.document_stores.in_memory import InMemoryDocumentStore

files = sorted(Path(sys.argv[1]).glob("*.pdf"))
store = InMemoryDocumentStore()
convert, split = PyPDFToDocument(), DocumentSplitter(split_by="period", split_length=5)
write = DocumentWriter(store)
texts: dict[str, str] = {}
failed = 0
started = time.perf_counter()
for file in files:
    try:
        documents = convert.run(sources=[file])["documents"]
        pieces = split.run(documents=documents)["documents"]
        for piece in pieces:
            piece.embedding = [1.0] * 64
        write.run(documents=pieces)
        texts[file.name] = "".join(d.content or "" for d in documents)
    except UnicodeError:
        # Half of a surrogate pair, from a font it reads in the wrong encoding, which it cannot hash.
        failed += 1
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "peak_rss_mib": round(peak), "failed": failed, "texts": texts}))
