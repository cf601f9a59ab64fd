"""What every vector store must do, and that all of them rank alike. The reference store is the oracle."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from weaviate_double import WeaviateDouble

from lorag_common.errors import LoragError
from lorag_indexer.chunks import Chunk
from lorag_indexer.fusion import Hit, candidates_for, fuse
from lorag_indexer.lancedb_store import LanceDatabase
from lorag_indexer.reference_store import ReferenceDatabase
from lorag_indexer.store import ChunkDatabase, ChunkStore, Entry, Scope, Vector
from lorag_indexer.tokens import BigramTokenizer
from lorag_indexer.weaviate_store import WeaviateDatabase

DIMENSION = 16
EVERYWHERE = Scope()
TEXTS = {
    "a": {
        1: ["年次有給休暇は12日である。", "夏季休暇は5日である。"],
        2: ["出張の日当は2,300円である。", "宿泊費の上限は11,500円である。", "休暇の届けは総務部に出す。"],
    },
    "b": {
        1: ["The travel allowance is 23 dollars.", "Annual leave is twelve days."],
        3: ["地震のときは駐車場に集まる。"],
    },
    "c": {1: ["駐車場代は実費を支払う。休暇中は支払わない。休暇は有給である。"]},
}
QUERIES = ["休暇は何日か", "駐車場", "annual leave", "宿泊費の上限はいくらか", "日", "有給休暇と夏季休暇の届け"]


@functools.cache
def double() -> WeaviateDouble:
    """One for the whole run; ends with it."""
    return WeaviateDouble()


def weaviate(_: Path) -> WeaviateDatabase:
    """A real Weaviate when WEAVIATE_URL is set, else the double: then only what we send is proven."""
    if url := os.environ.get("WEAVIATE_URL"):
        port = int(os.environ.get("WEAVIATE_GRPC_PORT", "50051"))
        database = WeaviateDatabase(url, os.environ.get("WEAVIATE_API_KEY", ""), port)
    else:
        database = WeaviateDatabase(double().url, "", double().grpc_port)
    for name in database.names():
        database.drop(name)
    return database


DATABASES: dict[str, Callable[[Path], ChunkDatabase]] = {
    "reference": lambda _: ReferenceDatabase(),
    "lancedb": LanceDatabase,
    "weaviate": weaviate,
}


def vector(seed: str) -> Vector:
    numbers = np.random.default_rng([ord(c) for c in seed]).normal(size=DIMENSION).astype(np.float32)
    return numbers / np.linalg.norm(numbers)


def entries(document: str, page: int, texts: list[str]) -> list[Entry]:
    out = []
    for n, text in enumerate(texts):
        chunk = Chunk(f"{document}:{page}:{n}", document, page, n * 100, n * 100 + len(text), text)
        out.append(Entry(chunk, vector(text), BigramTokenizer().terms(text)))
    return out


def fill(store: ChunkStore) -> None:
    for document, pages in TEXTS.items():
        store.replace_pages(
            document, list(pages), [e for p, texts in pages.items() for e in entries(document, p, texts)]
        )
        store.optimize()


def hybrid(store: ChunkStore, query: str, weight: float = 0.5, scope: Scope = EVERYWHERE) -> list[Hit]:
    limit = candidates_for(5)
    terms = BigramTokenizer().terms(query)
    return fuse(store.nearest(vector(query), limit, scope), store.matching(terms, limit, scope), weight, 5)


def found(store: ChunkStore, query: str, scope: Scope = EVERYWHERE) -> list[str]:
    return [chunk.id for chunk, _ in store.matching(BigramTokenizer().terms(query), 10, scope)]


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ChunkDatabase]:
    made = DATABASES[request.param](tmp_path)
    yield made
    if isinstance(made, WeaviateDatabase):
        made.close()


@pytest.fixture
def store(database: ChunkDatabase) -> ChunkStore:
    return database.open("chunks", DIMENSION)


def test_an_empty_store_finds_nothing(store: ChunkStore) -> None:
    assert store.count() == 0
    assert list(store.nearest(vector("x"), 5, EVERYWHERE)) == []
    assert list(store.matching(["x"], 5, EVERYWHERE)) == []
    assert store.document_ids() == set()


def test_chunks_come_back_as_they_went_in(store: ChunkStore) -> None:
    fill(store)
    text = TEXTS["a"][2][1]
    chunk, cosine = store.nearest(vector(text), 1, EVERYWHERE)[0]
    assert chunk == Chunk("a:2:1", "a", 2, 100, 100 + len(text), text)
    assert cosine == pytest.approx(1.0, abs=1e-5)
    assert (store.count(), store.count("a"), store.count("nobody")) == (9, 5, 0)
    assert store.pages("b") == {1, 3}
    assert store.document_ids() == {"a", "b", "c"}


def test_cosines_descend_and_keep_to_the_limit(store: ChunkStore) -> None:
    fill(store)
    cosines = [score for _, score in store.nearest(vector("?"), 4, EVERYWHERE)]
    assert len(cosines) == 4
    assert cosines == sorted(cosines, reverse=True)


def test_keywords_find_even_what_half_of_the_chunks_have(store: ChunkStore) -> None:
    store.replace_pages("a", [1], entries("a", 1, ["休暇は長い。", "休暇は短い。"]))
    store.optimize()
    legs = store.matching(BigramTokenizer().terms("休暇"), 5, EVERYWHERE)
    assert {chunk.id for chunk, _ in legs} == {"a:1:0", "a:1:1"}
    assert all(score > 0 for _, score in legs)


def test_a_repeated_query_word_counts_once(store: ChunkStore) -> None:
    fill(store)
    once = store.matching(["annual", "days"], 5, EVERYWHERE)
    assert list(store.matching(["annual", "annual", "days"], 5, EVERYWHERE)) == list(once)


def test_query_terms_are_no_syntax(store: ChunkStore) -> None:
    fill(store)
    assert found(store, 'AND OR "駐車場" -休暇 (annual) * ~ : \' %')


def test_writing_a_page_again_changes_nothing(store: ChunkStore) -> None:
    fill(store)
    before = hybrid(store, "休暇")
    fill(store)
    assert store.count() == 9
    assert [h.chunk for h in hybrid(store, "休暇")] == [h.chunk for h in before]


def test_a_page_is_replaced_as_a_whole(store: ChunkStore) -> None:
    fill(store)
    store.replace_pages("a", [2], entries("a", 2, ["新しい文。"]))
    assert store.count("a") == 3
    assert "a:2:0" not in found(store, "日当")
    assert "a:2:0" in found(store, "新しい文")
    store.replace_pages("a", [2], [])
    assert store.pages("a") == {1}
    assert store.count("b") == 3


def test_scopes_narrow_both_legs(store: ChunkStore) -> None:
    fill(store)
    only = Scope(only=frozenset({"c"}))
    assert found(store, "休暇", only) == ["c:1:0"]
    assert {chunk.document_id for chunk, _ in store.nearest(vector("x"), 9, only)} == {"c"}
    without = Scope(without=frozenset({"a", "c"}))
    assert found(store, "休暇", without) == []
    assert {chunk.document_id for chunk, _ in store.nearest(vector("x"), 9, without)} == {"b"}
    assert list(store.nearest(vector("x"), 9, Scope(only=frozenset()))) == []


def test_scopes_narrow_by_pages_too(store: ChunkStore) -> None:
    fill(store)
    late = Scope(pages=(2, None))
    assert {c.page for c, _ in store.nearest(vector("x"), 9, late)} == {2, 3}
    assert found(store, "休暇", Scope(pages=(None, 1), without=frozenset({"c"}))) == ["a:1:1", "a:1:0"]
    assert found(store, "駐車場", Scope(pages=(1, 2))) == ["c:1:0"]


def test_a_term_knows_how_many_chunks_have_it(store: ChunkStore) -> None:
    fill(store)
    assert store.frequency("annual") == 1
    assert store.frequency("休") == 4
    assert store.frequency("nowhere") == 0


def test_deleted_documents_are_gone_from_both_legs(store: ChunkStore) -> None:
    fill(store)
    store.delete_documents(["a", "nobody", "o'brien"])
    assert store.count() == 4
    assert not [i for i in found(store, "休暇") if i.startswith("a:")]
    assert "a" not in {chunk.document_id for chunk, _ in store.nearest(vector("x"), 9, EVERYWHERE)}


def test_stores_of_one_database_are_apart(database: ChunkDatabase) -> None:
    fill(database.open("one", DIMENSION))
    assert database.open("two", DIMENSION).count() == 0
    assert database.names() == {"one", "two"}
    database.drop("one")
    database.drop("never there")
    assert database.names() == {"two"}
    assert database.open("one", DIMENSION).count() == 0


def test_threads_may_read_while_one_writes(store: ChunkStore) -> None:
    fill(store)
    failures: list[Exception] = []

    def read() -> None:
        try:
            for _ in range(10):
                assert len(store.nearest(vector("x"), 3, EVERYWHERE)) == 3
                assert found(store, "annual leave")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(10):
        store.replace_pages("d", [n], entries("d", n, [f"第{n}章である。"]))
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.count("d") == 10


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("change", ["filled", "replaced", "deleted"])
def test_every_store_ranks_like_the_reference(tmp_path: Path, weight: float, change: str) -> None:
    stores = [make(tmp_path).open("chunks", DIMENSION) for make in DATABASES.values()]
    for store in stores:
        fill(store)
        if change == "replaced":
            store.replace_pages("a", [1], entries("a", 1, ["有給休暇は20日になった。"]))
        if change == "deleted":
            store.delete_documents(["c"])
        store.optimize()
    reference, *others = stores
    for query in QUERIES:
        expected = hybrid(reference, query, weight)
        assert expected
        for store in others:
            hits = hybrid(store, query, weight)
            assert [h.chunk for h in hits] == [h.chunk for h in expected], query
            for hit, wanted in zip(hits, expected, strict=True):
                assert hit.score == pytest.approx(wanted.score, abs=1e-4)
                assert hit.vector_score == pytest.approx(wanted.vector_score, abs=1e-4)
                if "WEAVIATE_URL" not in os.environ:
                    # Weaviate's own BM25 may leave the constant factor k1 + 1 out, which changes no ranking.
                    assert hit.keyword_score == pytest.approx(wanted.keyword_score, rel=1e-4)


def test_lancedb_keeps_its_rows_when_opened_anew(tmp_path: Path) -> None:
    fill(LanceDatabase(tmp_path).open("chunks", DIMENSION))
    assert LanceDatabase(tmp_path).open("chunks", DIMENSION).count() == 9


def test_lancedb_leaves_no_trace_of_a_deleted_document_on_the_disk(tmp_path: Path) -> None:
    store = LanceDatabase(tmp_path).open("chunks", DIMENSION)
    fill(store)
    assert _on_disk(tmp_path, "twelve")
    store.delete_documents(["b"])
    assert not _on_disk(tmp_path, "twelve")
    assert store.count() == 6


def test_weaviate_is_sent_batches_and_a_schema_that_splits_terms_only_at_spaces(tmp_path: Path) -> None:
    if "WEAVIATE_URL" in os.environ:
        pytest.skip("WEAVIATE_URL is set: the double was not asked")
    database = weaviate(tmp_path)
    store = database.open("wire", DIMENSION)
    double().inserts.clear()
    texts = [f"{n}番目の文。" for n in range(250)]
    store.replace_pages("long", [1], entries("long", 1, texts))
    assert double().inserts == [100, 100, 50]
    assert store.count() == 250
    schema = double().collections["Lorag_wire"].schema
    terms = next(p for p in schema["properties"] if p["name"] == "terms")
    text = next(p for p in schema["properties"] if p["name"] == "text")
    assert (terms["tokenization"], text["indexSearchable"]) == ("whitespace", False)
    assert schema["invertedIndexConfig"]["stopwords"]["preset"] == "none"
    database.close()


def test_a_weaviate_that_is_not_there_is_named_with_its_cure() -> None:
    with pytest.raises(LoragError) as caught:
        WeaviateDatabase("http://127.0.0.1:9", grpc_port=10)
    assert caught.value.reason == "STORE_UNAVAILABLE"
    assert "LORAG_WEAVIATE_URL" in caught.value.remedy


def _on_disk(folder: Path, word: str) -> bool:
    files = [Path(root) / name for root, _, names in os.walk(folder) for name in names]
    return any(word.encode() in path.read_bytes() for path in files)
