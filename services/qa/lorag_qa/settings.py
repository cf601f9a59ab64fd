"""Settings of qa."""

from __future__ import annotations

from pydantic import Field

from lorag_common.settings import ServiceSettings


class QaSettings(ServiceSettings):
    """`LORAG_QA_*`, beside the shared ones."""

    port: int = Field(default=50064, alias="LORAG_QA_PORT")
    indexer_address: str = Field(default="127.0.0.1:50063", description="Where the indexer serves gRPC.")
