"""Which release answers: `rag_config.yaml`, rewritten atomically, felt by the next question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lorag_common import rag_config
from lorag_common.errors import LoragError, Reason
from lorag_common.model_server import ModelServer
from lorag_common.rag_config import RagConfig
from lorag_qa import releases

KEPT = 20


class Activation:
    """The configuration of one data folder. Only this class writes it."""

    def __init__(self, data: Path, default_url: str) -> None:
        self._data, self._default_url = data, default_url

    def config(self) -> RagConfig:
        """As it is now; written with its defaults when there is none."""
        config = rag_config.load(self._data, self._default_url)
        if not (self._data / rag_config.FILE).exists():
            rag_config.save(self._data, config)
        return config

    def activate(self, release_id: str) -> RagConfig:
        """Make a published release the one that answers. LoragError RELEASE_NOT_FOUND, MODEL_NOT_FOUND."""
        releases.get(self._data, release_id)
        config = self.config()
        if config.release == release_id:
            return config
        self._switch(config, release_id)
        return config

    def rollback(self) -> RagConfig:
        """Make the release before the active one active again. LoragError NO_PREVIOUS_RELEASE."""
        config = self.config()
        if not config.history:
            raise LoragError(Reason.NO_PREVIOUS_RELEASE, "No release was active before this one.")
        previous, *rest = config.history
        releases.get(self._data, previous)
        self._switch(config, previous, history=rest)
        return config

    def update(self, changes: dict[str, Any]) -> RagConfig:
        """Change single keys, by their dotted path. LoragError CONFIG_INVALID naming the key."""
        config = self.config()
        for path, value in changes.items():
            *sections, key = path.split(".")
            section: Any = config
            for name in sections:
                section = getattr(section, name)
            try:
                setattr(section, key, value)
            except ValidationError as error:
                raise LoragError(Reason.CONFIG_INVALID, f"{path}: {error.errors()[0]['msg']}", field=key) from error
        rag_config.save(self._data, config)
        return config

    def _switch(self, config: RagConfig, release_id: str, history: list[str] | None = None) -> None:
        server = ModelServer(config.llm.ollama.base_url)
        server.show(release_id)
        # So that `ollama run my-model` gives the active release too.
        server.copy(release_id, release_id.partition(":")[0])
        if history is None:
            history = [config.release, *config.history] if config.release else config.history
        config.history = history[:KEPT]
        config.release = release_id
        config.llm.ollama.model = release_id
        rag_config.save(self._data, config)
