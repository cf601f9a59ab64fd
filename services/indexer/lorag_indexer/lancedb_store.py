"""LanceDB in a folder: vectors, and a column of finished terms under a full-text index that only splits at spaces.

Exact vector search up to `EXACT_ROWS` chunks, an IVF_FLAT index above (recall stays practically 1; the
product-quantised and HNSW kinds lose recall at these sizes). One process writes; readers elsewhere see every commit.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from lancedb.index import FTS, IvfFlat
from lancedb.query import MatchQuery

from lorag_indexer.chunks import Chunk
from lorag_indexer.fusion import Leg
from lorag_indexer.store import Entry, Scope, Vector

EXACT_ROWS = 50_000
KEEP_VERSIONS = timedelta(minutes=10)
_COLUMNS = ["chunk_id", "document_id", "page", "start", "end", "text"]
_SPLIT_AT_SPACES = FTS(
    base_tokenizer="whitespace",
    lower_case=False,
    stem=False,
    remove_stop_words=False,
    ascii_folding=False,
    max_token_length=None,
)


class LanceStore:
    """See `lorag_indexer.store.ChunkStore`."""

    def __init__(self, table: Any) -> None:
        self._table = table
        # Commits of two threads would conflict; LanceDB lets one of them fail.
        self._writing = threading.Lock()

    def replace_pages(self, document_id: str, pages: Collection[int], entries: Sequence[Entry]) -> None:
        """See `ChunkStore`; one commit."""
        where = f"document_id = {_quoted(document_id)} AND page IN ({', '.join(str(int(p)) for p in pages)})"
        with self._writing:
            if not entries:
                if pages:
                    self._table.delete(where)
                return
            merge = self._table.merge_insert("chunk_id").when_matched_update_all().when_not_matched_insert_all()
            merge.when_not_matched_by_source_delete(where).execute(_rows(entries, self._table.schema))

    def delete_documents(self, document_ids: Collection[str]) -> None:
        """See `ChunkStore`.

        LanceDB only marks rows as deleted, and its keyword index goes on counting them: the index is built anew and the
        files are rewritten, so that no term and no text of the documents stays on the disk.
        """
        if not document_ids:
            return
        with self._writing:
            where = f"document_id IN ({_list(document_ids)})"
            if not self._table.count_rows(where):
                return
            self._table.delete(where)
            self._table.create_index("terms", config=_SPLIT_AT_SPACES, replace=True)
            self._tidy(timedelta(0))

    def pages(self, document_id: str) -> set[int]:
        """See `ChunkStore`."""
        found = self._table.search().where(f"document_id = {_quoted(document_id)}").select(["page"]).to_arrow()
        return set(found["page"].to_pylist())

    def document_ids(self) -> set[str]:
        """See `ChunkStore`."""
        return set(self._table.search().select(["document_id"]).to_arrow()["document_id"].unique().to_pylist())

    def count(self, document_id: str | None = None) -> int:
        """See `ChunkStore`."""
        return int(self._table.count_rows(f"document_id = {_quoted(document_id)}" if document_id else None))

    def frequency(self, term: str) -> int:
        """See `ChunkStore`."""
        query = self._table.search(MatchQuery(term, "terms"), query_type="fts").select(["chunk_id"])
        return len(query.limit(max(1, self._table.count_rows())).to_arrow())

    def optimize(self) -> None:
        """See `ChunkStore`."""
        with self._writing:
            self._tidy(KEEP_VERSIONS)
            indexed = any(i.columns == ["vector"] for i in self._table.list_indices())
            if not indexed and self._table.count_rows() > EXACT_ROWS:
                self._table.create_index("vector", config=IvfFlat(distance_type="cosine"))

    def nearest(self, vector: Vector, limit: int, scope: Scope) -> Leg:
        """See `ChunkStore`."""
        query = self._table.search(vector, vector_column_name="vector").distance_type("cosine")
        rows = _narrowed(query, scope).select([*_COLUMNS, "_distance"]).limit(limit).to_list()
        return [(_chunk(row), 1.0 - float(row["_distance"])) for row in rows]

    def matching(self, terms: Sequence[str], limit: int, scope: Scope) -> Leg:
        """See `ChunkStore`."""
        if not terms:
            return []
        query = self._table.search(MatchQuery(" ".join(dict.fromkeys(terms)), "terms"), query_type="fts")
        rows = _narrowed(query, scope).select([*_COLUMNS, "_score"]).limit(limit).to_list()
        return [(_chunk(row), float(row["_score"])) for row in rows]

    def _tidy(self, keep: timedelta) -> None:
        with warnings.catch_warnings():
            # It warns that keeping no old version fails readers that are at work; `Index.search` reads again then.
            warnings.filterwarnings("ignore", message=".*cleanup_older_than.*", category=UserWarning)
            self._table.optimize(cleanup_older_than=keep)


class LanceDatabase:
    """See `lorag_indexer.store.ChunkDatabase`; one folder."""

    kind = "lancedb"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._connection = lancedb.connect(folder, read_consistency_interval=timedelta(0))
        self._stores: dict[str, LanceStore] = {}
        self._opening = threading.Lock()

    def open(self, name: str, dimension: int) -> LanceStore:
        """See `ChunkDatabase`."""
        with self._opening:
            if name not in self._stores:
                self._stores[name] = LanceStore(self._open_or_create(name, dimension))
            return self._stores[name]

    def names(self) -> set[str]:
        """See `ChunkDatabase`."""
        return set(self._connection.list_tables(limit=10_000).tables)

    def drop(self, name: str) -> None:
        """See `ChunkDatabase`."""
        with self._opening:
            self._stores.pop(name, None)
            self._connection.drop_table(name, ignore_missing=True)

    def _open_or_create(self, name: str, dimension: int) -> Any:
        if name in self.names():
            table = self._connection.open_table(name)
        else:
            table = self._connection.create_table(name, schema=_schema(dimension))
        # A crash between the two would leave a table without its index.
        if not any(i.columns == ["terms"] for i in table.list_indices()):
            table.create_index("terms", config=_SPLIT_AT_SPACES)
        return table


def _schema(dimension: int) -> Any:
    fields = [
        pa.field("chunk_id", pa.string()),
        pa.field("document_id", pa.string()),
        pa.field("page", pa.int32()),
        pa.field("start", pa.int32()),
        pa.field("end", pa.int32()),
        pa.field("text", pa.string()),
        pa.field("terms", pa.string()),
        pa.field("vector", pa.list_(pa.float32(), dimension)),
    ]
    return pa.schema(fields)


def _rows(entries: Sequence[Entry], schema: Any) -> Any:
    rows = [
        {
            "chunk_id": e.chunk.id,
            "document_id": e.chunk.document_id,
            "page": e.chunk.page,
            "start": e.chunk.start,
            "end": e.chunk.end,
            "text": e.chunk.text,
            "terms": " ".join(e.terms),
            "vector": np.asarray(e.vector, dtype=np.float32),
        }
        for e in entries
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def _chunk(row: dict[str, Any]) -> Chunk:
    return Chunk(row["chunk_id"], row["document_id"], row["page"], row["start"], row["end"], row["text"])


def _narrowed(query: Any, scope: Scope) -> Any:
    conditions = []
    if scope.only is not None:
        # An empty IN () is no SQL; nothing has the empty id.
        conditions.append(f"document_id IN ({_list(scope.only or [''])})")
    if scope.without:
        conditions.append(f"document_id NOT IN ({_list(scope.without)})")
    first, last = scope.pages
    conditions += [f"page >= {int(first)}"] if first is not None else []
    conditions += [f"page <= {int(last)}"] if last is not None else []
    return query.where(" AND ".join(conditions), prefilter=True) if conditions else query


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _list(values: Collection[str]) -> str:
    return ", ".join(_quoted(v) for v in sorted(values))
