"""Settings of the gateway; environment, prefix `LORAG_`."""

from __future__ import annotations

from pydantic import Field

from lorag_common.settings import ServiceSettings


class GatewaySettings(ServiceSettings):
    """Where the gateway listens and where its services are."""

    port: int = Field(default=8050, description="Port of the HTTP API.")
    trainer_address: str = Field(default="127.0.0.1:50061", description="host:port of the trainer.")
    converter_address: str = Field(default="127.0.0.1:50062", description="host:port of the converter.")
    indexer_address: str = Field(default="127.0.0.1:50063", description="host:port of the indexer.")
    qa_address: str = Field(default="127.0.0.1:50064", description="host:port of question answering.")

    @property
    def addresses(self) -> dict[str, str]:
        """Service name -> host:port."""
        return {
            "trainer": self.trainer_address,
            "converter": self.converter_address,
            "indexer": self.indexer_address,
            "qa": self.qa_address,
        }
