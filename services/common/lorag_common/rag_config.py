"""`config/rag_config.yaml`: which model answers and how. Read by all when a job or an answer starts; qa writes it.

A person may edit the file by hand at any time. When an edit breaks it, the last good one is used, and `problem` says what is
wrong and in which line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lorag_common.artifacts import write_atomic
from lorag_common.errors import LoragError, Reason

FILE = Path("config") / "rag_config.yaml"
LAST_GOOD = Path("state") / "rag_config.last.yaml"
HEADER = (
    "# How LoRAG answers. The next question reads this file anew; a mistake is named with its line, and the last good\n"
)
HEADER += "# file is used until it is corrected. Comments are not kept when LoRAG itself changes a setting.\n#\n"


class _Section(BaseModel):
    # Unknown keys are kept, so that a hand-written comment key or a later version's key survives a rewrite.
    model_config = ConfigDict(extra="allow", validate_assignment=True)


class OllamaConfig(_Section):
    """The model server and the model that answers."""

    model: str = Field(default="", description="The model that answers, as the model server knows it.")
    base_url: str = Field(
        default="http://127.0.0.1:11434",
        pattern=r"^https?://[^\s/]+(/\S*)?$",
        description="Where the model server listens.",
    )
    temperature: float = Field(default=0.7, ge=0, le=2, description="0 (always the likeliest word) to 2.")
    num_ctx: int = Field(default=4096, ge=256, description="Context window in tokens, the same for every question.")


class LlmConfig(_Section):
    """The user's `llm` section."""

    provider: str = Field(default="ollama", pattern="^ollama$", description="ollama: Ollama, or the embedded runtime.")
    ollama: OllamaConfig = Field(default_factory=OllamaConfig)


class RetrievalConfig(_Section):
    """How passages are found. Without a vector_weight the indexer uses the one that it measured."""

    top_k: int = Field(default=5, ge=1, le=50, description="Passages given to the model.")
    vector_weight: float | None = Field(
        default=None, ge=0, le=1, description="0 (keywords alone) to 1 (vectors alone); empty: what was measured."
    )


class EmbeddingConfig(_Section):
    """Which model embeds; empty means the model that was active when the index was made."""

    model: str = Field(default="", description="Embedder; empty: the model that was active when the index was made.")


class RagConfig(_Section):
    """The whole file."""

    llm: LlmConfig = Field(default_factory=LlmConfig)
    retrieval: RetrievalConfig = Field(default_factory=RetrievalConfig)
    embedding: EmbeddingConfig = Field(default_factory=EmbeddingConfig)
    release: str = Field(default="", description="The active release; change it by `lorag release activate`.")
    history: list[str] = Field(default_factory=list, description="Releases that were active before, latest first.")
    keep_releases: int = Field(
        default=20, ge=1, le=100, description="How many of them are kept for rollback on the model server."
    )
    problem: str = Field(default="", exclude=True)


def load(data: Path, default_url: str | None = None) -> RagConfig:
    """Read the configuration; defaults when there is no file yet, the last good one when the file is broken.

    Args:
        data: the data folder.
        default_url: model server to name when there is no file yet.

    Raises:
        LoragError: CONFIG_INVALID naming line and key, when the file is broken and there was no good one before.
    """
    try:
        return _read(data / FILE)
    except FileNotFoundError:
        config = RagConfig()
        if default_url:
            config.llm.ollama.base_url = default_url
        return config
    except UnicodeDecodeError as error:
        broken = LoragError(Reason.CONFIG_INVALID, f"{FILE.name} is not UTF-8: {error.reason}.")
    except LoragError as error:
        broken = error
    try:
        config = parse((data / LAST_GOOD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise broken from None
    config.problem = broken.message
    return config


def _read(path: Path) -> RagConfig:
    """The file's configuration, parsed again only when it is another file than the last time: every question asks."""
    stat = path.stat()
    key = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
    kept = _parsed.get(path)
    if kept is None or kept[0] != key:
        kept = _parsed[path] = (key, parse(path.read_text(encoding="utf-8")))
    return kept[1].model_copy(deep=True)


_parsed: dict[Path, tuple[tuple[int, int, int], RagConfig]] = {}


def parse(text: str) -> RagConfig:
    """A configuration from its text. LoragError CONFIG_INVALID naming line and key."""
    try:
        raw = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise LoragError(Reason.CONFIG_INVALID, f"{FILE.name}, line {line}: not YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise LoragError(Reason.CONFIG_INVALID, f"{FILE.name} is not YAML: {error}") from error
    try:
        config = RagConfig.model_validate(raw or {})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(p) for p in first["loc"])
        where = f"{FILE.name}, line {_line(yaml.compose(text, yaml.SafeLoader), first['loc'])}"
        raise LoragError(Reason.CONFIG_INVALID, f"{where}: {key}: {first['msg']}", field=key) from error
    config.problem = ""
    return config


def save(data: Path, config: RagConfig) -> None:
    """Replace the file atomically. Only qa calls this."""
    content = yaml.safe_dump(config.model_dump(), allow_unicode=True, sort_keys=False)
    write_atomic(data / FILE, HEADER + _documentation(config) + content)


def remember(data: Path) -> None:
    """Keep the file as the last good one, when it differs from it. Only qa calls this, after a successful `load`."""
    current = (data / FILE).read_bytes()
    kept = data / LAST_GOOD
    if not kept.exists() or kept.read_bytes() != current:
        write_atomic(kept, current)


def _documentation(section: BaseModel, prefix: str = "") -> str:
    """A comment line for every key."""
    lines = ""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            lines += _documentation(value, f"{prefix}{name}.")
        elif field.description:
            lines += f"#   {prefix}{name}: {field.description}\n"
    return lines


def _line(node: Any, path: tuple[int | str, ...]) -> int:
    """The line of a key in a YAML tree, or of the nearest one above it that is there; counted from 1."""
    line = node.start_mark.line if node else 0
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pairs = {key.value: (key, value) for key, value in node.value}
            if str(part) not in pairs:
                break
            key, node = pairs[str(part)]
            line = key.start_mark.line
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
    return int(line) + 1
