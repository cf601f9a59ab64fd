"""What somebody chose to embed with. Apart from the embedder, because a child that only reads pages needs no model client."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EmbedderSettings:
    """What somebody chose: the model, and prefixes in place of those that its kind is known to want."""

    model: str = ""
    query_prefix: str | None = None
    document_prefix: str | None = None
