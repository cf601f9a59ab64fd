"""Settings every service has. Values come from the environment, prefix `LORAG_`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Shared settings; a service subclasses it and sets its own port."""

    model_config = SettingsConfigDict(env_prefix="LORAG_", extra="ignore", validate_default=True)

    data: Path = Field(default=Path("data"), description="Data folder; every URI is a path below it.")
    host: str = Field(default="127.0.0.1", description="Address to listen on; loopback unless told otherwise.")
    port: int = Field(default=0, description="Port to listen on; 0 lets the system choose.")
    log_level: str = Field(default="info", description="debug, info, warning or error.")
    metrics_port: int = Field(default=0, ge=0, le=65535, description="Port of Prometheus metrics; 0 means none.")
    metrics_host: str = Field(default="127.0.0.1", description="Address of the metrics, which ask for no key.")
    traces: str = Field(
        default="", description="Where OpenTelemetry spans go: an OTLP address, `file`, `console`; empty means nowhere."
    )
    ollama_url: str = Field(
        default="http://127.0.0.1:11434", description="Model server; fills rag_config.yaml the first time."
    )
    model_roots: Annotated[list[Path], NoDecode] = Field(
        default=[Path("models")],
        description="Folders that base models and foreign adapters may be read from, separated like PATH.",
    )

    @field_validator("data")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("model_roots", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        parts = value.split(os.pathsep) if isinstance(value, str) else value
        return [Path(p).expanduser().resolve() for p in parts if str(p)]
