"""A cross-encoder that reads query and passage together and puts the best candidates in order. An extra: it brings torch."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from lorag_common.errors import LoragError, Reason


class Reranker(Protocol):
    """Judges passages."""

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """One score a passage, higher is better."""
        ...


class CrossEncoderReranker:
    """A sentence-transformers cross-encoder from a folder, loaded when it is first asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._model: Any = None
        self._lock = threading.Lock()

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """See `Reranker`.

        Raises:
            LoragError: RERANKER_MISSING when the extra or the folder is not there.
        """
        with self._lock:
            if self._model is None:
                self._model = self._load()
            return [float(s) for s in self._model.predict([(query, p) for p in passages], show_progress_bar=False)]

    def _load(self) -> Any:
        if not self._folder.is_dir():
            raise LoragError(Reason.RERANKER_MISSING, f"There is no folder '{self._folder}' with a cross-encoder.")
        try:
            from sentence_transformers import CrossEncoder
        except ImportError as error:
            raise LoragError(Reason.RERANKER_MISSING, "sentence-transformers is not installed.") from error
        return CrossEncoder(str(self._folder), device="cpu", local_files_only=True)
