"""Settings of the indexer."""

from __future__ import annotations

from pydantic import Field

from lorag_common.settings import ServiceSettings
from lorag_indexer.chunks import ChunkSettings


class IndexerSettings(ServiceSettings):
    """Shared settings, the port, the embedder, and how pages are cut.

    The chunk settings are those of the next index: one that exists keeps what it was made with until a reindex.
    """

    port: int = Field(default=50063, description="Port to listen on; 0 lets the system choose.")
    embedder: str = Field(
        default="",
        description="Model of the model server that embeds; empty means rag_config.yaml's embedding.model, else the "
        "active model.",
    )
    chunk_chars: int = Field(default=400, ge=20, le=8000, description="Most characters of a chunk.")
    chunk_sentences: int = Field(default=0, ge=0, description="Most sentences of a chunk; 0 means any number.")
    chunk_overlap: int = Field(default=1, ge=0, le=5, description="Sentences that a chunk repeats of the one before.")
    max_document_bytes: int = Field(default=512 << 20, gt=0, description="Largest PDF that may be uploaded, in bytes.")

    @property
    def chunking(self) -> ChunkSettings:
        """How pages are cut."""
        return ChunkSettings(self.chunk_chars, self.chunk_sentences, self.chunk_overlap)
