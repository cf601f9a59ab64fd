"""A sentence-transformers model beside the indexer, by the name `local:FOLDER`. An extra: it brings torch along.

The folder holds the model as its makers publish it; pooling, normalising and the length limit are the model's own.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lorag_common.artifacts import sha256_file
from lorag_common.errors import LoragError, Reason
from lorag_common.model_server import EmbeddingFacts, Vectors

LOCAL = "local:"


class LocalEmbedders:
    """Models by folder, each loaded once; an `EmbeddingServer` in this process."""

    def __init__(self) -> None:
        self._models: dict[str, Any] = {}
        self._digests: dict[str, str] = {}
        self._lock = threading.Lock()

    def list(self) -> dict[str, str]:
        """Models that were used so far, with the digest of their files."""
        return dict(self._digests)

    def embed(self, model: str, texts: Sequence[str]) -> Vectors:
        """One vector a text.

        Raises:
            LoragError: MODEL_NOT_FOUND; TOOLS_MISSING without the extra.
        """
        loaded = self._load(model)
        with self._lock:
            rows: Vectors = loaded.encode(list(texts), normalize_embeddings=True, show_progress_bar=False).tolist()
        return rows

    def embedding_facts(self, model: str) -> EmbeddingFacts:
        """Context, pooling and digest of a model; raises as `embed`."""
        loaded = self._load(model)
        pooling = next((str(m.pooling_mode) for m in loaded if hasattr(m, "pooling_mode")), "")
        if not pooling:
            modes = (m.get_pooling_mode_str() for m in loaded if hasattr(m, "get_pooling_mode_str"))
            pooling = next(modes, "")
        return EmbeddingFacts(int(loaded.max_seq_length or 0), pooling, self._digests[model])

    def count_tokens(self, model: str, text: str) -> int:
        """Tokens of a text; raises as `embed`."""
        return len(self._load(model).tokenizer(text, truncation=False)["input_ids"])

    def _load(self, model: str) -> Any:
        with self._lock:
            if model not in self._models:
                folder = Path(model.removeprefix(LOCAL))
                if not folder.is_dir():
                    raise LoragError(
                        Reason.MODEL_NOT_FOUND,
                        f"There is no folder '{folder}' with a model to embed with.",
                        remedy="Name the folder of a sentence-transformers model after `local:`.",
                    )
                try:
                    from sentence_transformers import SentenceTransformer
                except ImportError as error:
                    raise LoragError(
                        Reason.TOOLS_MISSING,
                        "A local embedder needs sentence-transformers, which is not installed.",
                        remedy="Install the extra: `pip install 'lorag-indexer[local]'`.",
                    ) from error
                self._models[model] = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
                self._digests[model] = _digest(folder)
            return self._models[model]


def _digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(
        p for p in folder.rglob("*") if p.is_file() and p.suffix in (".json", ".safetensors", ".bin", ".txt")
    ):
        whole.update(f"{path.relative_to(folder)} {sha256_file(path)}\n".encode())
    return whole.hexdigest()
