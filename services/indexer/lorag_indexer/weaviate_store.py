"""Weaviate through its own client: a collection per index version, our vectors, and a shadow property of finished terms.

Weaviate's tokenizers make Japanese keyword search useless, so BM25 runs over `terms`, which it only splits at white space;
the text itself is kept beside it and not searched. The two legs are asked for apart and fused by `lorag_indexer.fusion` like
those of every other store, because both legs' scores and ranks are shown; its own hybrid query gives only the fused one.

Weaviate has no transactions: a document that is half written is kept out of searches by the caller's scope, and writing it
again makes it whole.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import weaviate
from weaviate.classes.aggregate import GroupByAggregate
from weaviate.classes.config import Configure, DataType, Property, StopwordsPreset, Tokenization, VectorDistances
from weaviate.classes.data import DataObject
from weaviate.classes.init import AdditionalConfig, Auth, Timeout
from weaviate.classes.query import Filter, MetadataQuery, Sort
from weaviate.exceptions import WeaviateBaseError
from weaviate.util import generate_uuid5

from lorag_common.errors import LoragError, Reason
from lorag_indexer.chunks import Chunk
from lorag_indexer.fusion import Leg
from lorag_indexer.store import Entry, Scope, Vector

PREFIX = "Lorag_"
GRPC_PORT = 50051
INSERTED_AT_ONCE = 100
MOST_GROUPS = 1_000_000
_PAGES_AT_ONCE = 1000
_COLUMNS = ["chunk_id", "document_id", "page", "start", "end", "text"]
K1, B = 1.2, 0.75


class WeaviateStore:
    """See `lorag_indexer.store.ChunkStore`; one collection."""

    def __init__(self, collection: Any, url: str) -> None:
        self._collection = collection
        self._url = url

    def replace_pages(self, document_id: str, pages: Collection[int], entries: Sequence[Entry]) -> None:
        """See `ChunkStore`; the new objects are there before the old ones go."""
        with _translated(self._url):
            for begin in range(0, len(entries), INSERTED_AT_ONCE):
                done = self._collection.data.insert_many(
                    [_object(e) for e in entries[begin : begin + INSERTED_AT_ONCE]]
                )
                if done.has_errors:
                    first = next(iter(done.errors.values()))
                    raise LoragError(Reason.STORE_UNAVAILABLE, f"Weaviate refused a chunk: {first.message}")
            if pages:
                old = Filter.by_property("document_id").equal(document_id)
                old &= Filter.by_property("page").contains_any([int(p) for p in pages])
                if entries:
                    old &= _none_of("chunk_id", [e.chunk.id for e in entries])
                self._collection.data.delete_many(where=old)

    def delete_documents(self, document_ids: Collection[str]) -> None:
        """See `ChunkStore`."""
        with _translated(self._url):
            if document_ids:
                self._collection.data.delete_many(where=Filter.by_property("document_id").contains_any([*document_ids]))

    def pages(self, document_id: str) -> set[int]:
        """See `ChunkStore`."""
        found: set[int] = set()
        last = -1
        with _translated(self._url):
            while True:
                narrow = Filter.by_property("document_id").equal(document_id) & Filter.by_property("page").greater_than(
                    last
                )
                rows = self._collection.query.fetch_objects(
                    filters=narrow,
                    limit=_PAGES_AT_ONCE,
                    sort=Sort.by_property("page", ascending=True),
                    return_properties=["page"],
                ).objects
                if not rows:
                    return found
                numbers = [int(row.properties["page"]) for row in rows]
                found.update(numbers)
                last = max(numbers)

    def document_ids(self) -> set[str]:
        """See `ChunkStore`."""
        with _translated(self._url):
            grouped = GroupByAggregate(prop="document_id", limit=MOST_GROUPS)
            return {str(g.grouped_by.value) for g in self._collection.aggregate.over_all(group_by=grouped).groups}

    def count(self, document_id: str | None = None) -> int:
        """See `ChunkStore`."""
        narrow = Filter.by_property("document_id").equal(document_id) if document_id else None
        return self._count(narrow)

    def frequency(self, term: str) -> int:
        """See `ChunkStore`."""
        return self._count(Filter.by_property("terms").equal(term))

    def optimize(self) -> None:
        """See `ChunkStore`; Weaviate does this by itself."""

    def nearest(self, vector: Vector, limit: int, scope: Scope) -> Leg:
        """See `ChunkStore`."""
        if _nothing(scope):
            return []
        with _translated(self._url):
            rows = self._collection.query.near_vector(
                near_vector=[float(x) for x in vector],
                limit=limit,
                filters=_narrowed(scope),
                return_metadata=MetadataQuery(distance=True),
                return_properties=_COLUMNS,
            ).objects
        return [(_chunk(row), 1.0 - float(row.metadata.distance)) for row in rows]

    def matching(self, terms: Sequence[str], limit: int, scope: Scope) -> Leg:
        """See `ChunkStore`."""
        if not terms or _nothing(scope):
            return []
        with _translated(self._url):
            rows = self._collection.query.bm25(
                query=" ".join(dict.fromkeys(terms)),
                query_properties=["terms"],
                limit=limit,
                filters=_narrowed(scope),
                return_metadata=MetadataQuery(score=True),
                return_properties=_COLUMNS,
            ).objects
        return [(_chunk(row), float(row.metadata.score)) for row in rows]

    def _count(self, narrow: Any) -> int:
        with _translated(self._url):
            return int(self._collection.aggregate.over_all(filters=narrow, total_count=True).total_count or 0)


class WeaviateDatabase:
    """See `lorag_indexer.store.ChunkDatabase`; one server, collections whose names begin with `Lorag_`.

    Args:
        url: e.g. `http://127.0.0.1:8080`.
        api_key: where the server asks for one.
        grpc_port: port of its gRPC API, on the same host.

    Raises:
        LoragError: STORE_UNAVAILABLE.
    """

    kind = "weaviate"

    def __init__(self, url: str, api_key: str = "", grpc_port: int = GRPC_PORT) -> None:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        self._url = url
        self._stores: dict[str, WeaviateStore] = {}
        self._opening = threading.Lock()
        with _translated(url):
            self._client = weaviate.connect_to_custom(
                http_host=parts.hostname or "127.0.0.1",
                http_port=parts.port or (443 if secure else 8080),
                http_secure=secure,
                grpc_host=parts.hostname or "127.0.0.1",
                grpc_port=grpc_port,
                grpc_secure=secure,
                auth_credentials=Auth.api_key(api_key) if api_key else None,
                additional_config=AdditionalConfig(timeout=Timeout(init=10, query=30, insert=120), trust_env=False),
            )

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def open(self, name: str, dimension: int) -> WeaviateStore:
        """See `ChunkDatabase`; Weaviate takes the dimension from the first vector."""
        with self._opening, _translated(self._url):
            if name not in self._stores:
                if not self._client.collections.exists(PREFIX + name):
                    self._create(PREFIX + name)
                self._stores[name] = WeaviateStore(self._client.collections.get(PREFIX + name), self._url)
            return self._stores[name]

    def names(self) -> set[str]:
        """See `ChunkDatabase`."""
        with _translated(self._url):
            every = self._client.collections.list_all(simple=True)
        return {name.removeprefix(PREFIX) for name in every if name.startswith(PREFIX)}

    def drop(self, name: str) -> None:
        """See `ChunkDatabase`."""
        with self._opening, _translated(self._url):
            self._stores.pop(name, None)
            self._client.collections.delete(PREFIX + name)

    def _create(self, name: str) -> None:
        whole = {"data_type": DataType.TEXT, "tokenization": Tokenization.FIELD, "index_searchable": False}
        number = {"data_type": DataType.INT}
        self._client.collections.create(
            name,
            vector_config=Configure.Vectors.self_provided(
                vector_index_config=Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE)
            ),
            inverted_index_config=Configure.inverted_index(bm25_b=B, bm25_k1=K1, stopwords_preset=StopwordsPreset.NONE),
            properties=[
                Property(name="chunk_id", **whole),
                Property(name="document_id", **whole),
                Property(name="page", **number),
                Property(name="start", index_filterable=False, **number),
                Property(name="end", index_filterable=False, **number),
                Property(name="text", data_type=DataType.TEXT, index_searchable=False, index_filterable=False),
                Property(name="terms", data_type=DataType.TEXT, tokenization=Tokenization.WHITESPACE),
            ],
        )


def _object(entry: Entry) -> Any:
    chunk = entry.chunk
    properties = {
        "chunk_id": chunk.id,
        "document_id": chunk.document_id,
        "page": chunk.page,
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
        "terms": " ".join(entry.terms),
    }
    vector = [float(x) for x in entry.vector]
    return DataObject(properties=properties, uuid=generate_uuid5(chunk.id), vector=vector)


def _chunk(row: Any) -> Chunk:
    p = row.properties
    return Chunk(p["chunk_id"], p["document_id"], int(p["page"]), int(p["start"]), int(p["end"]), p["text"])


def _none_of(name: str, values: Sequence[str]) -> Any:
    # One operator for it exists only in newer servers.
    return Filter.all_of([Filter.by_property(name).not_equal(value) for value in values])


def _nothing(scope: Scope) -> bool:
    return scope.only is not None and not scope.only


def _narrowed(scope: Scope) -> Any:
    first, last = scope.pages
    conditions: list[Any] = []
    if scope.only is not None:
        conditions.append(Filter.by_property("document_id").contains_any(sorted(scope.only)))
    if scope.without:
        conditions.append(_none_of("document_id", sorted(scope.without)))
    if first is not None:
        conditions.append(Filter.by_property("page").greater_or_equal(first))
    if last is not None:
        conditions.append(Filter.by_property("page").less_or_equal(last))
    return Filter.all_of(conditions) if conditions else None


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except WeaviateBaseError as error:
        raise LoragError(Reason.STORE_UNAVAILABLE, f"Weaviate at {url} says: {str(error.message)[:300]}") from error
