"""`config/rag_config.yaml`: which model answers and how. Read by all when a job or an answer starts; qa writes it."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lorag_common.artifacts import write_atomic
from lorag_common.errors import LoragError, Reason

FILE = Path("config") / "rag_config.yaml"


class _Section(BaseModel):
    # Unknown keys are kept, so that a hand-written comment key or a later version's key survives a rewrite.
    model_config = ConfigDict(extra="allow", validate_assignment=True)


class OllamaConfig(_Section):
    """The model server and the model that answers."""

    model: str = ""
    base_url: str = Field(default="http://127.0.0.1:11434", pattern=r"^https?://[^\s/]+(/\S*)?$")
    temperature: float = Field(default=0.7, ge=0, le=2)
    num_ctx: int = Field(default=4096, ge=256)


class LlmConfig(_Section):
    """The user's `llm` section."""

    provider: str = "ollama"
    ollama: OllamaConfig = Field(default_factory=OllamaConfig)


class RetrievalConfig(_Section):
    """How passages are found."""

    top_k: int = Field(default=5, ge=1, le=50)
    vector_weight: float = Field(default=0.3, ge=0, le=1)


class EmbeddingConfig(_Section):
    """Which model embeds; empty means the model that was active when the index was made."""

    model: str = ""


class RagConfig(_Section):
    """The whole file."""

    llm: LlmConfig = Field(default_factory=LlmConfig)
    retrieval: RetrievalConfig = Field(default_factory=RetrievalConfig)
    embedding: EmbeddingConfig = Field(default_factory=EmbeddingConfig)
    release: str = ""
    history: list[str] = Field(default_factory=list)


def load(data: Path, default_url: str | None = None) -> RagConfig:
    """Read the configuration; defaults when there is no file yet.

    Args:
        data: the data folder.
        default_url: model server to name when there is no file yet.

    Raises:
        LoragError: CONFIG_INVALID naming the key.
    """
    try:
        raw = yaml.safe_load((data / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        config = RagConfig()
        if default_url:
            config.llm.ollama.base_url = default_url
        return config
    except yaml.YAMLError as error:
        raise LoragError(Reason.CONFIG_INVALID, f"{FILE.name} is not YAML: {error}") from error
    try:
        return RagConfig.model_validate(raw or {})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(p) for p in first["loc"])
        raise LoragError(Reason.CONFIG_INVALID, f"{FILE.name}: {key}: {first['msg']}", field=key) from error


def save(data: Path, config: RagConfig) -> None:
    """Replace the file atomically. Only qa calls this."""
    write_atomic(data / FILE, yaml.safe_dump(config.model_dump(), allow_unicode=True, sort_keys=False))
