"""Settings of the indexer."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from lorag_common.settings import ServiceSettings
from lorag_indexer.chunks import ChunkSettings
from lorag_indexer.embedder_settings import EmbedderSettings
from lorag_indexer.pdf_check import CheckLimits
from lorag_indexer.uploads import UploadLimits


class IndexerSettings(ServiceSettings):
    """Shared settings, the port, the embedder, and how pages are cut.

    The chunk settings are those of the next index: one that exists keeps what it was made with until a reindex.
    """

    port: int = Field(default=50063, description="Port to listen on; 0 lets the system choose.")
    embedder: str = Field(
        default="",
        description="Model of the model server that embeds; empty means rag_config.yaml's embedding.model, else the "
        "active model. `local:FOLDER` is a sentence-transformers model beside the indexer.",
    )
    query_prefix: str | None = Field(
        default=None, description="Put in front of a query; not set means what the embedder's family wants."
    )
    document_prefix: str | None = Field(
        default=None, description="Put in front of a chunk; not set means what the embedder's family wants."
    )
    reranker: Path | None = Field(default=None, description="Folder of a cross-encoder; not set means no reranking.")
    weaviate_url: str = Field(default="", description="Address of a Weaviate; empty means LanceDB in the data folder.")
    weaviate_grpc_port: int = Field(default=50051, description="Port of its gRPC API, on the same host.")
    weaviate_api_key: SecretStr = Field(default=SecretStr(""), description="Its API key, where it asks for one.")
    chunk_chars: int = Field(default=400, ge=20, le=8000, description="Most characters of a chunk.")
    chunk_sentences: int = Field(default=0, ge=0, description="Most sentences of a chunk; 0 means any number.")
    chunk_overlap: int = Field(default=1, ge=0, le=5, description="Sentences that a chunk repeats of the one before.")
    max_document_bytes: int = Field(default=512 << 20, gt=0, description="Largest file that may be uploaded, in bytes.")
    max_document_pages: int = Field(default=5000, gt=0, description="Most pages of a document.")
    extract_memory_mib: int = Field(
        default=2048, ge=256, description="Most address space of a process that reads or draws a PDF, in MiB."
    )
    ocr: Literal["auto", "tesseract", "off"] = Field(
        default="auto", description="Whether pages without text go through Tesseract: auto means when it is installed."
    )

    @property
    def embedder_settings(self) -> EmbedderSettings:
        """Which model embeds, and how."""
        return EmbedderSettings(self.embedder, self.query_prefix, self.document_prefix)

    @property
    def upload_limits(self) -> UploadLimits:
        """What is taken in."""
        return UploadLimits(self.max_document_bytes, self.max_document_pages, CheckLimits(self.extract_memory_mib))

    @property
    def chunking(self) -> ChunkSettings:
        """How pages are cut."""
        return ChunkSettings(self.chunk_chars, self.chunk_sentences, self.chunk_overlap)
