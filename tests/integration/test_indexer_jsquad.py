"""Japanese keyword search held to a number: JSQuAD's questions over all of its paragraphs, through LanceDB."""

from __future__ import annotations

import json
import math
import os
import random
from pathlib import Path

import numpy as np
import pytest

from lorag_indexer.chunks import Chunk
from lorag_indexer.lancedb_store import LanceDatabase
from lorag_indexer.store import Entry, Scope
from lorag_indexer.tokens import BigramTokenizer, SudachiTokenizer, Tokenizer

QUESTIONS = 500


def jsquad() -> tuple[list[str], list[tuple[str, int]]]:
    """Paragraphs, and questions with the index of the paragraph they were asked about."""
    if not (path := os.environ.get("LORAG_JSQUAD")):
        pytest.skip("LORAG_JSQUAD is not set: Japanese keyword search was not measured")
    paragraphs: list[str] = []
    questions: list[tuple[str, int]] = []
    for article in json.loads(Path(path).read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            questions += [(qa["question"], len(paragraphs)) for qa in paragraph["qas"]]
            paragraphs.append(paragraph["context"])
    return paragraphs, questions


@pytest.mark.parametrize(("tokenizer", "least"), [(SudachiTokenizer, 0.94), (BigramTokenizer, 0.93)])
def test_keyword_search_reaches_its_ndcg(tmp_path: Path, tokenizer: type[Tokenizer], least: float) -> None:
    paragraphs, questions = jsquad()
    terms = tokenizer().terms
    store = LanceDatabase(tmp_path).open("chunks", 2)
    unused = np.array([1.0, 0.0], dtype=np.float32)
    entries = [
        Entry(Chunk(str(i), "jsquad", i, 0, len(text), ""), unused, terms(text)) for i, text in enumerate(paragraphs)
    ]
    store.replace_pages("jsquad", range(len(paragraphs)), entries)
    store.optimize()
    gains = []
    for question, wanted in random.Random(0).sample(questions, QUESTIONS):
        found = [chunk.page for chunk, _ in store.matching(terms(question), 10, Scope())]
        gains.append(1 / math.log2(found.index(wanted) + 2) if wanted in found else 0.0)
    ndcg = sum(gains) / len(gains)
    print(f"{tokenizer.name}: nDCG@10 {ndcg:.4f} over {len(paragraphs)} paragraphs and {QUESTIONS} questions")
    assert ndcg >= least
