"""Settings of the runtime."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field

from lorag_common.settings import ServiceSettings


class RuntimeSettings(ServiceSettings):
    """`LORAG_RUNTIME_*`, beside the shared ones."""

    port: int = Field(default=11434, description="Ollama's own port.")
    store: Path | None = Field(
        default=None, validation_alias="LORAG_RUNTIME_STORE", description="Default: runtime/ of the data folder."
    )
    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, validation_alias="LORAG_RUNTIME_THREADS", ge=1)
    max_loaded: int = Field(
        default=2, validation_alias="LORAG_RUNTIME_MAX_LOADED", ge=1, description="Models kept in memory."
    )
    num_ctx: int = Field(
        default=4096, validation_alias="LORAG_RUNTIME_NUM_CTX", ge=16, description="Context when a call names none."
    )

    @property
    def folder(self) -> Path:
        """Where blobs and manifests are kept."""
        return (self.store or self.data / "runtime").resolve()
