"""Which release answers: `rag_config.yaml`, rewritten atomically, felt by the next question."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from lorag_common import rag_config
from lorag_common.errors import LoragError, Reason
from lorag_common.log import get_logger
from lorag_common.model_server import ModelServer
from lorag_common.rag_config import RagConfig
from lorag_qa import evaluations, releases

log = get_logger(__name__)

F = TypeVar("F", bound=Callable[..., RagConfig])


def _one_step(method: F) -> F:
    """Let one caller at a time read, change and write."""

    @wraps(method)
    def locked(self: Activation, *args: Any, **named: Any) -> RagConfig:
        with self._lock:
            return method(self, *args, **named)

    return cast(F, locked)


class Activation:
    """The configuration of one data folder. Only this class writes it."""

    def __init__(self, data: Path, default_url: str) -> None:
        self._data, self._default_url = data, default_url
        # Reading, changing and writing is one step: servicers call from several threads.
        self._lock = threading.RLock()

    @_one_step
    def config(self) -> RagConfig:
        """As it is now; written with its defaults when there is none. Broken by hand, it is the last good one."""
        config = rag_config.load(self._data, self._default_url)
        if not (self._data / rag_config.FILE).exists():
            rag_config.save(self._data, config)
        if not config.problem:
            rag_config.remember(self._data)
        return config

    @_one_step
    def activate(self, release_id: str, *, force: bool = False) -> RagConfig:
        """Make a published release the one that answers.

        Raises:
            LoragError: RELEASE_NOT_FOUND, MODEL_NOT_FOUND; RELEASE_WORSE when its evaluation found it worse and `force` is
                not set; CONFIG_INVALID when the file is broken by hand.
        """
        releases.get(self._data, release_id)
        config = self._sound()
        if config.release == config.llm.ollama.model == release_id:
            return config
        evaluated = evaluations.read(self._data, release_id)
        if evaluated and evaluated["verdict"] == "WORSE" and not force:
            raise LoragError(Reason.RELEASE_WORSE, evaluated["summary"], field="release_id")
        self._switch(config, release_id)
        return config

    @_one_step
    def rollback(self) -> RagConfig:
        """Make the release before the active one active again. LoragError NO_PREVIOUS_RELEASE."""
        config = self._sound()
        # A release that was deleted since does not bar the way to the one before it.
        there = [r for r in config.history if releases.find(self._data, r) is not None]
        if not there:
            raise LoragError(Reason.NO_PREVIOUS_RELEASE, "No release was active before this one.")
        self._switch(config, there[0], history=there[1:])
        return config

    @_one_step
    def update(self, changes: dict[str, Any]) -> RagConfig:
        """Change single keys, by their dotted path. LoragError CONFIG_INVALID naming the key."""
        config = self._sound()
        for path, value in changes.items():
            *sections, key = path.split(".")
            section: Any = config
            for name in sections:
                section = getattr(section, name)
            try:
                setattr(section, key, value)
            except ValidationError as error:
                raise LoragError(Reason.CONFIG_INVALID, f"{path}: {error.errors()[0]['msg']}", field=key) from error
        self._save(config)
        return config

    def _sound(self) -> RagConfig:
        """The configuration, to be changed: never over a hand edit that cannot be read. LoragError CONFIG_INVALID."""
        config = self.config()
        if config.problem:
            raise LoragError(Reason.CONFIG_INVALID, config.problem)
        return config

    def _save(self, config: RagConfig) -> None:
        rag_config.save(self._data, config)
        rag_config.remember(self._data)

    def _switch(self, config: RagConfig, release_id: str, history: list[str] | None = None) -> None:
        server = ModelServer(config.llm.ollama.base_url)
        server.show(release_id)
        # So that `ollama run my-model` gives the active release too.
        server.copy(release_id, release_id.partition(":")[0])
        if history is None:
            history = [config.release, *config.history] if config.release else config.history
        kept, config.history = history, history[: config.keep_releases]
        config.release = release_id
        config.llm.ollama.model = release_id
        self._save(config)
        self._forget(server, set(kept) - {release_id, *config.history})

    def _forget(self, server: ModelServer, dropped: set[str]) -> None:
        """Free the model server's disk of releases that rollback no longer reaches; their folders stay."""
        for release_id in sorted(dropped):
            try:
                server.delete(release_id)
                log.info("removed from the model server", release=release_id)
            except LoragError as error:
                log.warning("could not remove from the model server", release=release_id, error=str(error))
