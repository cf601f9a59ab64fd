"""The model that turns texts into vectors, on the model server, and what identifies it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lorag_common import rag_config
from lorag_common.errors import LoragError, Reason
from lorag_common.log import get_logger
from lorag_common.model_server import EmbeddingFacts, ModelServer, Vectors
from lorag_indexer.chunks import ChunkSettings
from lorag_indexer.embedder_settings import EmbedderSettings
from lorag_indexer.local_embedder import LOCAL, LocalEmbedders
from lorag_indexer.prefixes import prefixes_of
from lorag_indexer.store import Vector

log = get_logger(__name__)

BATCH = 32
AIR = 0.7
SAMPLE = (
    "年次有給休暇は、入社の日から六か月を過ぎた社員に十二日を与える。届けは三日前までに総務部へ出すこと。"
    "The allowance for a journey is counted from the day of departure and paid with the salary of the next month."
)
_VERSION = re.compile(r":v\d+$")


class EmbeddingServer(Protocol):
    """The part of the model server that embedding needs."""

    def list(self) -> dict[str, str]:
        """Name -> digest."""
        ...

    def embed(self, model: str, texts: Sequence[str]) -> Vectors:
        """One vector a text."""
        ...

    def embedding_facts(self, model: str) -> EmbeddingFacts:
        """What the model says of itself."""
        ...

    def count_tokens(self, model: str, text: str) -> int:
        """Tokens that the model makes of a text; 0 when the server does not say."""
        ...


@dataclass(frozen=True)
class EmbedderIdentity:
    """All that vectors depend on: the model's name, the digest of its content, the length of its vectors, and more.

    Attributes:
        pooling: how token vectors become one, as the model says; "server" when it does not say.
        query_prefix: put in front of a query.
        document_prefix: put in front of a chunk.
    """

    model: str
    digest: str
    dimension: int
    pooling: str = "server"
    query_prefix: str = ""
    document_prefix: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Embedder:
    """Embeds with one identified model.

    Args:
        data: the data folder; `rag_config.yaml` there names the model server, read anew every time.
        settings: what was chosen by LORAG_EMBEDDER and its like.
        default_url: model server when there is no rag_config.yaml yet.
        connect: makes the client of an address.
        local: embeds by models beside the indexer, whose names begin with `local:`.
    """

    def __init__(
        self,
        data: Path,
        settings: EmbedderSettings,
        default_url: str,
        connect: Callable[[str], EmbeddingServer] = ModelServer,
        local: EmbeddingServer | None = None,
    ) -> None:
        self._data = data
        self._settings = settings
        self._default_url = default_url
        self._connect = connect
        self._local = local or LocalEmbedders()
        self._connected: tuple[str, EmbeddingServer] | None = None

    def wanted(self) -> str:
        """The model that somebody chose to embed with; empty when nobody did."""
        return self._settings.model or rag_config.load(self._data).embedding.model

    def configured(self) -> str:
        """The model that a new index gets: the chosen one, else the one that is active.

        Raises:
            LoragError: EMBEDDER_MISSING.
        """
        if model := self.wanted() or rag_config.load(self._data).llm.ollama.model:
            return model
        raise LoragError(Reason.EMBEDDER_MISSING, "No embedder is chosen and no model is active.")

    def identify(self, model: str) -> EmbedderIdentity:
        """Ask the server which model that name means now, and how long its vectors are.

        A name that moves on with every activation is pinned to the version that it means today, so that activating
        a release does not take the embedder away from the index.

        Raises:
            LoragError: MODEL_NOT_FOUND, MODEL_SERVER_UNAVAILABLE, MODEL_SERVER_FAILED.
        """
        server = self._server(model)
        full = _full(model)
        models = server.list() if server is not self._local else self._local_models(model)
        if full not in models:
            raise LoragError(Reason.MODEL_NOT_FOUND, f"The model server has no model '{model}' to embed with.")
        digest = models[full]
        base = full.rpartition(":")[0]
        versions = [n for n, d in models.items() if d == digest and n.rpartition(":")[0] == base and _VERSION.search(n)]
        pinned = full if _VERSION.search(full) or not versions else sorted(versions)[0]
        known = prefixes_of(pinned)
        query, document = self._settings.query_prefix, self._settings.document_prefix
        return EmbedderIdentity(
            pinned,
            digest,
            len(_checked(server.embed(pinned, ["1"]), 1)[0]),
            server.embedding_facts(pinned).pooling or "server",
            known[0] if query is None else query,
            known[1] if document is None else document,
        )

    def fitted(self, identity: EmbedderIdentity, chunking: ChunkSettings) -> ChunkSettings:
        """The same chunking, with chunks no longer than the embedder's context holds.

        The server counts the tokens of a sample; with some air, because texts differ. A chunk that is too long all the same
        is an error of the server and never cut.
        """
        server = self._server(identity.model)
        context = server.embedding_facts(identity.model).context
        tokens = server.count_tokens(identity.model, identity.document_prefix + SAMPLE)
        if not context or not tokens:
            return chunking
        characters = int(AIR * context * len(SAMPLE) / tokens)
        if characters >= chunking.characters:
            return replace(chunking, tokens=int(chunking.characters * tokens / len(SAMPLE)))
        log.info("chunks are shortened to the embedder's context", model=identity.model, characters=characters)
        return replace(chunking, characters=max(20, characters), tokens=int(AIR * context))

    def check(self, identity: EmbedderIdentity) -> None:
        """Make sure that the name still means the model that made the index.

        Raises:
            LoragError: EMBEDDER_CHANGED, MODEL_NOT_FOUND, MODEL_SERVER_UNAVAILABLE.
        """
        server = self._server(identity.model)
        models = server.list() if server is not self._local else self._local_models(identity.model)
        now = models.get(identity.model)
        if now is None:
            raise LoragError(
                Reason.MODEL_NOT_FOUND,
                f"The index was made with '{identity.model}', which the model server no longer has.",
                remedy="Publish that model again, or start a reindex with another embedder.",
            )
        if now != identity.digest:
            raise LoragError(
                Reason.EMBEDDER_CHANGED,
                f"'{identity.model}' on the model server is another model than the one the index was made with.",
            )

    def embed_query(self, identity: EmbedderIdentity, query: str) -> Vector:
        """The vector of a query; raises as `embed_documents`."""
        return self.embed_queries(identity, [query])[0]

    def embed_queries(self, identity: EmbedderIdentity, queries: Sequence[str]) -> list[Vector]:
        """The vectors of many queries; raises as `embed_documents`."""
        return self._embed(identity, [identity.query_prefix + query for query in queries])

    def embed_documents(self, identity: EmbedderIdentity, texts: Sequence[str]) -> list[Vector]:
        """Vectors of unit length, each of shape [dimension], in batches.

        Raises:
            LoragError: EMBEDDER_CHANGED when the vectors have another length; what the model server fails by.
        """
        return self._embed(identity, [identity.document_prefix + text for text in texts])

    def _embed(self, identity: EmbedderIdentity, texts: Sequence[str]) -> list[Vector]:
        server = self._server(identity.model)
        vectors: list[Vector] = []
        for begin in range(0, len(texts), BATCH):
            batch = texts[begin : begin + BATCH]
            vectors.extend(_checked(server.embed(identity.model, batch), len(batch)))
        for vector in vectors:
            if len(vector) != identity.dimension:
                raise LoragError(
                    Reason.EMBEDDER_CHANGED,
                    f"'{identity.model}' returns {len(vector)} numbers a vector; the index has {identity.dimension}.",
                )
        return vectors

    def _local_models(self, model: str) -> dict[str, str]:
        return {model: self._local.list().get(model) or str(self._local.embedding_facts(model).digest)}

    def _server(self, model: str) -> EmbeddingServer:
        if model.startswith(LOCAL):
            return self._local
        url = rag_config.load(self._data, self._default_url).llm.ollama.base_url
        kept = self._connected
        # Every search would wait for a new client and its connection.
        if kept is None or kept[0] != url:
            kept = self._connected = (url, self._connect(url))
        return kept[1]


def _full(model: str) -> str:
    """Names without a tag mean `:latest`."""
    return model if model.startswith(LOCAL) or ":" in model.rpartition("/")[2] else f"{model}:latest"


def _checked(rows: Vectors, count: int) -> list[Vector]:
    """Unit vectors, or an error instead of vectors that would spoil an index silently."""
    if len(rows) != count:
        raise LoragError(
            Reason.MODEL_SERVER_FAILED, f"The model server returned {len(rows)} vectors for {count} texts."
        )
    out: list[Vector] = []
    for row in rows:
        vector = np.asarray(row, dtype=np.float32)
        length = float(np.linalg.norm(vector.astype(np.float64)))
        if not np.isfinite(length) or length == 0:
            raise LoragError(
                Reason.MODEL_SERVER_FAILED,
                "The model server returned a vector that is zero or not a number.",
                remedy="Choose a model that can embed (LORAG_EMBEDDER).",
            )
        out.append((vector / length).astype(np.float32))
    return out
