"""A double of Weaviate at wire level, written from its published protos and schema: what our store sends must be understood.

It holds objects in memory, obeys the schema that it was given (what may be filtered, what BM25 may search, how text is split,
which stop words go) and refuses what Weaviate would refuse. It proves what we send and how we read the replies, and nothing of
how Weaviate itself ranks or keeps data: for that the suite runs against a real one when WEAVIATE_URL is set.
"""

from __future__ import annotations

import json
import struct
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import numpy as np
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from weaviate.proto.v1 import (
    aggregate_pb2,
    base_pb2,
    batch_delete_pb2,
    batch_pb2,
    properties_pb2,
    search_get_pb2,
    weaviate_pb2_grpc,
)

from lorag_indexer.reference_store import _Bm25

ENGLISH_STOP_WORDS = {
    "a",
    "an",
    "and",
    "are",
    "as",
    "at",
    "be",
    "but",
    "by",
    "for",
    "in",
    "is",
    "it",
    "of",
    "on",
    "the",
    "to",
}
Row = dict[str, Any]
_OP = base_pb2.Filters


class Collection:
    """One class of the schema and its objects."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self.properties = {p["name"]: p for p in schema["properties"]}
        self.objects: dict[str, tuple[Row, np.ndarray]] = {}

    def split(self, name: str, text: str) -> list[str]:
        """Tokens of a text property."""
        kind = self.properties[name].get("tokenization", "word")
        if kind == "field":
            return [text.strip()]
        assert kind == "whitespace", f"the double knows field and whitespace, not {kind}"
        return text.split()

    def matches(self, row: Row, f: Any) -> bool:
        """Whether an object passes a filter."""
        if f.operator == _OP.OPERATOR_AND:
            return all(self.matches(row, part) for part in f.filters)
        if f.operator == _OP.OPERATOR_OR:
            return any(self.matches(row, part) for part in f.filters)
        name = f.target.property
        assert self.properties[name].get("indexFilterable", True), f"{name} may not be filtered"
        value = row[name]
        kind = f.WhichOneof("test_value")
        given = getattr(f, kind)
        given = list(given.values) if kind.endswith("_array") else given
        if isinstance(value, str):
            tokens = self.split(name, value)
            equal = {
                _OP.OPERATOR_EQUAL: lambda: given in tokens,
                _OP.OPERATOR_NOT_EQUAL: lambda: given not in tokens,
                _OP.OPERATOR_CONTAINS_ANY: lambda: any(g in tokens for g in given),
            }
            return equal[f.operator]()
        compare: dict[int, Callable[[], bool]] = {
            _OP.OPERATOR_EQUAL: lambda: value == given,
            _OP.OPERATOR_GREATER_THAN: lambda: value > given,
            _OP.OPERATOR_GREATER_THAN_EQUAL: lambda: value >= given,
            _OP.OPERATOR_LESS_THAN_EQUAL: lambda: value <= given,
            _OP.OPERATOR_CONTAINS_ANY: lambda: value in given,
        }
        return compare[f.operator]()

    def passing(self, request: Any) -> list[str]:
        """Ids of the objects that pass a request's filters, all without filters."""
        if not request.HasField("filters"):
            return list(self.objects)
        return [i for i, (row, _) in self.objects.items() if self.matches(row, request.filters)]

    def bm25(self, query: str, name: str) -> dict[str, float]:
        """Scores of all objects that share a token."""
        assert self.properties[name].get("indexSearchable", True), f"{name} may not be searched"
        settings = self.schema["invertedIndexConfig"]
        stop = ENGLISH_STOP_WORDS if settings["stopwords"]["preset"] == "en" else set()
        corpus = [[t for t in self.split(name, row[name]) if t not in stop] for row, _ in self.objects.values()]
        if not any(corpus):
            return {}
        scorer = _Bm25(corpus, k1=settings["bm25"]["k1"], b=settings["bm25"]["b"])
        scores = scorer.get_scores([t for t in self.split(name, query) if t not in stop])
        return {i: float(s) for i, s in zip(self.objects, scores, strict=True) if s > 0}


class WeaviateDouble(weaviate_pb2_grpc.WeaviateServicer):
    """REST for the schema, gRPC for the rest; both on ports of their own."""

    def __init__(self) -> None:
        self.collections: dict[str, Collection] = {}
        self.inserts: list[int] = []
        self._lock = threading.RLock()
        self._grpc = grpc.server(ThreadPoolExecutor(8))
        weaviate_pb2_grpc.add_WeaviateServicer_to_server(self, self._grpc)
        status = health.HealthServicer()
        status.set("", health_pb2.HealthCheckResponse.SERVING)
        status.set("weaviate.v1.Weaviate", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(status, self._grpc)
        self.grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._grpc.stop(0)
        self._http.shutdown()
        self._http.server_close()

    def Search(self, request: Any, context: Any) -> Any:
        with self._lock:
            c = self.collections[request.collection]
            there = c.passing(request)
            score: dict[str, float] = {}
            if request.HasField("near_vector"):
                v = request.near_vector
                raw = v.vector_bytes or (v.vectors[0].vector_bytes if v.vectors else b"")
                raw = raw or next((t.vector_bytes or t.vectors[0].vector_bytes for t in v.vector_for_targets), b"")
                query = np.array(struct.unpack(f"<{len(raw) // 4}f", raw) if raw else list(v.vector), dtype=np.float64)
                score = {i: _cosine_distance(query, c.objects[i][1]) for i in there}
                order = sorted(there, key=lambda i: score[i])
            elif request.HasField("bm25_search"):
                (name,) = request.bm25_search.properties
                score = c.bm25(request.bm25_search.query, name)
                order = sorted((i for i in there if i in score), key=lambda i: (-score[i], c.objects[i][0]["chunk_id"]))
            else:
                order = there
                for by in reversed(request.sort_by):
                    order = sorted(order, key=lambda i, b=by: c.objects[i][0][b.path[0]], reverse=not by.ascending)  # type: ignore[misc]
            wanted = list(request.properties.non_ref_properties)
            return search_get_pb2.SearchReply(
                results=[self._result(c, i, wanted, request, score) for i in order[: request.limit]]
            )

    def BatchObjects(self, request: Any, context: Any) -> Any:
        with self._lock:
            self.inserts.append(len(request.objects))
            for o in request.objects:
                c = self.collections[o.collection]
                row = {k: _plain(v) for k, v in o.properties.non_ref_properties.fields.items()}
                assert set(row) == set(c.properties), "an object must have the properties of its class"
                raw = o.vector_bytes or o.vectors[0].vector_bytes
                vector = np.array(struct.unpack(f"<{len(raw) // 4}f", raw))
                sizes = {len(v) for _, v in c.objects.values()}
                assert sizes <= {len(vector)}, "vector lengths don't match"
                c.objects[o.uuid] = (row, vector)
        return batch_pb2.BatchObjectsReply(took=0.0)

    def BatchDelete(self, request: Any, context: Any) -> Any:
        with self._lock:
            c = self.collections[request.collection]
            doomed = c.passing(request)
            for i in doomed:
                del c.objects[i]
        return batch_delete_pb2.BatchDeleteReply(took=0.0, matches=len(doomed), successful=len(doomed))

    def Aggregate(self, request: Any, context: Any) -> Any:
        with self._lock:
            c = self.collections[request.collection]
            there = c.passing(request)
            if not request.HasField("group_by"):
                return aggregate_pb2.AggregateReply(
                    single_result=aggregate_pb2.AggregateReply.Single(objects_count=len(there))
                )
            name = request.group_by.property
            counts = Counter(c.objects[i][0][name] for i in there)
            group = aggregate_pb2.AggregateReply.Group
            groups = [
                group(objects_count=n, grouped_by=group.GroupedBy(path=[name], text=value))
                for value, n in counts.most_common(request.limit)
            ]
            return aggregate_pb2.AggregateReply(grouped_results=aggregate_pb2.AggregateReply.Grouped(groups=groups))

    @staticmethod
    def _result(c: Collection, i: str, wanted: list[str], request: Any, score: dict[str, float]) -> Any:
        row, _ = c.objects[i]
        fields = {
            k: properties_pb2.Value(text_value=v) if isinstance(v, str) else properties_pb2.Value(int_value=v)
            for k, v in row.items()
            if k in wanted
        }
        meta: dict[str, Any] = {"id": i}
        if request.metadata.distance:
            meta |= {"distance": score[i], "distance_present": True}
        if request.metadata.score:
            meta |= {"score": score[i], "score_present": True}
        properties = search_get_pb2.PropertiesResult(non_ref_props=properties_pb2.Properties(fields=fields))
        return search_get_pb2.SearchResult(properties=properties, metadata=search_get_pb2.MetadataResult(**meta))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.split("?")[0]
                if path == "/v1/meta":
                    self._answer(200, {"hostname": "double", "version": "1.34.0", "modules": {}})
                elif path.startswith("/v1/.well-known/"):
                    self._answer(404 if path.endswith("openid-configuration") else 200, {})
                elif path == "/v1/schema":
                    self._answer(200, {"classes": [c.schema for c in double.collections.values()]})
                elif (name := path.removeprefix("/v1/schema/")) in double.collections:
                    self._answer(200, double.collections[name].schema)
                else:
                    self._answer(404, {"error": [{"message": f"no {path}"}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.path == "/v1/schema", self.path
                double.collections[body["class"]] = Collection(_filled(body))
                self._answer(200, double.collections[body["class"]].schema)

            def do_DELETE(self) -> None:
                double.collections.pop(self.path.removeprefix("/v1/schema/"), None)
                self._answer(200, {})

            def _answer(self, code: int, content: dict[str, Any]) -> None:
                payload = json.dumps(content).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def _filled(body: dict[str, Any]) -> dict[str, Any]:
    """The schema with what the server adds to it."""
    inverted = {"bm25": {"k1": 1.2, "b": 0.75}, "stopwords": {"preset": "en"}, "cleanupIntervalSeconds": 60}
    given = body.get("invertedIndexConfig", {})
    body["invertedIndexConfig"] = inverted | given
    hnsw = {"cleanupIntervalSeconds": 300, "dynamicEfMin": 100, "dynamicEfMax": 500, "dynamicEfFactor": 8, "ef": -1}
    hnsw |= {"efConstruction": 128, "flatSearchCutoff": 40000, "maxConnections": 32, "skip": False}
    for vector in body.get("vectorConfig", {}).values():
        vector["vectorIndexConfig"] = hnsw | {"vectorCacheMaxObjects": 10**12} | vector.get("vectorIndexConfig", {})
    for p in body["properties"]:
        added = {"indexFilterable": True, "indexSearchable": p["dataType"] == ["text"], "indexRangeFilters": False}
        for key, value in added.items():
            if p.get(key) is None:
                p[key] = value
    body.setdefault(
        "replicationConfig", {"factor": 1, "asyncEnabled": False, "deletionStrategy": "NoAutomatedResolution"}
    )
    body.setdefault("multiTenancyConfig", {"enabled": False})
    body.setdefault("shardingConfig", {"virtualPerPhysical": 128, "desiredCount": 1, "actualCount": 1})
    return body


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    return int(value.number_value) if kind == "number_value" else getattr(value, kind)


def _cosine_distance(a: np.ndarray, b: np.ndarray) -> float:
    return 1.0 - float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
