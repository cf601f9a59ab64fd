"""The model that turns texts into vectors, on the model server, and what identifies it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lorag_common import rag_config
from lorag_common.errors import LoragError, Reason
from lorag_common.model_server import ModelServer, Vectors
from lorag_indexer.store import Vector

BATCH = 32
_VERSION = re.compile(r":v\d+$")


class EmbeddingServer(Protocol):
    """The part of the model server that embedding needs."""

    def list(self) -> dict[str, str]:
        """Name -> digest."""
        ...

    def embed(self, model: str, texts: Sequence[str]) -> Vectors:
        """One vector a text."""
        ...


@dataclass(frozen=True)
class EmbedderIdentity:
    """Which embedder made an index: its name, the digest the server gave it, and the length of its vectors."""

    model: str
    digest: str
    dimension: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Embedder:
    """Embeds with one identified model.

    Args:
        data: the data folder; `rag_config.yaml` there names the model server, read anew every time.
        setting: LORAG_EMBEDDER.
        default_url: model server when there is no rag_config.yaml yet.
        connect: makes the client of an address.
    """

    def __init__(
        self, data: Path, setting: str, default_url: str, connect: Callable[[str], EmbeddingServer] = ModelServer
    ) -> None:
        self._data = data
        self._setting = setting
        self._default_url = default_url
        self._connect = connect

    def wanted(self) -> str:
        """The model that somebody chose to embed with; empty when nobody did."""
        return self._setting or rag_config.load(self._data).embedding.model

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
        server = self._server()
        models = server.list()
        full = _full(model)
        if full not in models:
            raise LoragError(Reason.MODEL_NOT_FOUND, f"The model server has no model '{model}' to embed with.")
        digest = models[full]
        base = full.rpartition(":")[0]
        versions = [n for n, d in models.items() if d == digest and n.rpartition(":")[0] == base and _VERSION.search(n)]
        pinned = full if _VERSION.search(full) or not versions else sorted(versions)[0]
        return EmbedderIdentity(pinned, digest, len(_checked(server.embed(pinned, ["1"]), 1)[0]))

    def check(self, identity: EmbedderIdentity) -> None:
        """Make sure that the name still means the model that made the index.

        Raises:
            LoragError: EMBEDDER_CHANGED, MODEL_NOT_FOUND, MODEL_SERVER_UNAVAILABLE.
        """
        now = self._server().list().get(identity.model)
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

    def embed(self, identity: EmbedderIdentity, texts: Sequence[str]) -> list[Vector]:
        """Vectors of unit length, each of shape [dimension], in batches.

        Raises:
            LoragError: EMBEDDER_CHANGED when the vectors have another length; what the model server fails by.
        """
        server = self._server()
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

    def _server(self) -> EmbeddingServer:
        return self._connect(rag_config.load(self._data, self._default_url).llm.ollama.base_url)


def _full(model: str) -> str:
    """Names without a tag mean `:latest`."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


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
