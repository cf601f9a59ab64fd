"""How fast do PDFs become searchable, and is their text still right? Ours, and other projects' usual ways, in one run.

    python -m bench.ingest [--data FILE] [--documents 20] [--pages 20] [--peers-python PYTHON]

Japanese PDFs are written from the paragraphs of a JSQuAD-format file (by default LORAG_JSQUAD's; without one, from the test
handbook) in three encodings of Japan, without a map back to Unicode. Ours go through the indexer's own process over gRPC:
uploaded, checked, read in child processes, written to disk, verified, as in daily use. The peers read them into memory in one
process. Embedding is left out as far as it can be: our vectors come from a server that counts character pairs, theirs are
constant. A file that a peer cannot take in counts as `failed`. `text_share` is the share of the written characters that
were read. Prints JSON; a peer's ratio is our pages a second divided by its.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import psutil

from bench import jsquad, peers
from lorag.indexer.v1 import indexer_pb2 as pb
from lorag_indexer.normalize import unify
from lorag_indexer.pdf import OpenPdf

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS / "unit"), str(TESTS / "integration")]
from embedding_server import EmbeddingServer  # noqa: E402
from indexer_process import IndexerProcess  # noqa: E402
from pdf_cases import Placed, encoded_pdf  # noqa: E402

ENCODINGS = {"90ms-RKSJ-H": "cp932", "EUC-H": "euc_jp", "UniJIS-UTF16-H": "utf-16-be"}
LINE, LINES = 36, 30


def paragraphs(data: str) -> list[str]:
    """What is written: paragraphs that all of the encodings have."""
    if data:
        texts = jsquad.load(Path(data)).paragraphs
    else:
        pdf = OpenPdf(TESTS / "data" / "handbook_ja.pdf")
        texts = [pdf.page(n).text for n in range(1, pdf.page_count + 1)]
    fit = []
    for text in ("".join(t.split()) for t in texts):
        try:
            if all(text.encode(codec).decode(codec) == text for codec in ENCODINGS.values()):
                fit.append(text)
        except UnicodeError:
            continue
    return fit


def write(folder: Path, texts: list[str], documents: int, pages: int) -> dict[str, str]:
    """PDFs of full pages in every encoding in turn; file name -> its text."""
    flow = itertools.cycle("".join(texts))
    written = {}
    for n, (encoding, codec) in zip(range(documents), itertools.cycle(ENCODINGS.items()), strict=False):
        lines = ["".join(itertools.islice(flow, LINE)) for _ in range(pages * LINES)]
        sheets: list[bytes | Placed] = [
            [(50, 780 - 24 * row, line.encode(codec)) for row, line in enumerate(lines[p * LINES : (p + 1) * LINES])]
            for p in range(pages)
        ]
        encoded_pdf(folder / f"{n:04}.pdf", encoding, sheets)
        written[f"{n:04}.pdf"] = "".join(lines)
    return written


def text_share(written: Mapping[str, str], read: Mapping[str, str]) -> float:
    """Share of the written characters that were read, whatever their order, in one spelling."""
    kept = total = 0
    for name, text in written.items():
        wanted = Counter(unify(text))
        kept += (wanted & Counter(unify("".join(read.get(name, "").split())))).total()
        total += wanted.total()
    return round(kept / total, 4)


def ours(folder: Path, written: Mapping[str, str]) -> dict[str, object]:
    """The indexer's process: seconds from the first upload to the last searchable document, its memory, what it read."""
    models = EmbeddingServer()
    with tempfile.TemporaryDirectory() as data:
        indexer = IndexerProcess(Path(data), models.url, LORAG_EMBEDDER="first:v1")
        indexer.start()
        try:
            process, peak = psutil.Process(indexer.pid), 0
            started = time.perf_counter()
            replies = [indexer.upload(folder / name) for name in written]
            for reply in replies:
                job = indexer.ended(reply.job.id)
                if job.error.reason:
                    raise RuntimeError(f"{reply.document.name}: {job.error.reason}: {job.error.message}")
                peak = max(peak, process.memory_info().rss)
            seconds = time.perf_counter() - started
            read = {
                reply.document.name: "".join(
                    page.text for page in indexer.api.ExportText(pb.ExportTextRequest(document_id=reply.document.id))
                )
                for reply in replies
            }
        finally:
            indexer.end()
            models.close()
    return {"seconds": seconds, "text_share": text_share(written, read), "peak_rss_mib": round(peak / 2**20)}


def main() -> None:
    """Write, index, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("LORAG_JSQUAD", ""), help="a file in JSQuAD's format")
    parser.add_argument("--documents", type=int, default=20)
    parser.add_argument("--pages", type=int, default=20, help="pages of a document")
    parser.add_argument("--peers-python", default="", help="interpreter of an environment that has the peers")
    options = parser.parse_args()
    pages = options.documents * options.pages
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        written = write(folder, paragraphs(options.data), options.documents, options.pages)
        mine = ours(folder, written)
        beside = peers.ingest(options.peers_python, folder)
    speed = pages / float(str(mine.pop("seconds")))
    for peer in beside.values():
        if "skipped" not in peer:
            theirs = pages / peer.pop("seconds")
            peer |= {"text_share": text_share(written, peer.pop("texts")), "pages_per_s": round(theirs, 1)}
            peer["ratio"] = round(speed / theirs, 3)
    result = {"bench": "ingest", "documents": options.documents, "pages": pages, "pages_per_s": round(speed, 2)}
    print(json.dumps(result | mine | {"peers": beside}))


if __name__ == "__main__":
    main()
