"""Settings of qa."""

from __future__ import annotations

from pydantic import Field

from lorag_common.settings import ServiceSettings


class QaSettings(ServiceSettings):
    """The shared ones, and where the indexer is."""

    port: int = Field(default=50064, description="Port to listen on.")
    indexer_address: str = Field(default="127.0.0.1:50063", description="Where the indexer serves gRPC.")
