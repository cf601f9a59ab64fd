"""Settings of qa."""

from __future__ import annotations

from pydantic import Field

from lorag_common.settings import ServiceSettings


class QaSettings(ServiceSettings):
    """The shared ones, and where the indexer is."""

    port: int = Field(default=50064, description="Port to listen on.")
    answers_at_once: int = Field(default=2, ge=1, description="Questions that are answered at the same time.")
    queue_length: int = Field(default=64, ge=0, description="Questions that may wait for their turn.")
    indexer_address: str = Field(default="127.0.0.1:50063", description="Where the indexer serves gRPC.")
