"""Settings of the gateway; environment, prefix `LORAG_`."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from lorag_common.settings import ServiceSettings


class GatewaySettings(ServiceSettings):
    """Where the gateway listens, where its services are, and what it allows."""

    port: int = Field(default=8050, description="Port of the HTTP API.")
    trainer_address: str = Field(default="127.0.0.1:50061", description="host:port of the trainer.")
    converter_address: str = Field(default="127.0.0.1:50062", description="host:port of the converter.")
    indexer_address: str = Field(default="127.0.0.1:50063", description="host:port of the indexer.")
    qa_address: str = Field(default="127.0.0.1:50064", description="host:port of question answering.")
    keys: Literal["auto", "required", "off"] = Field(
        default="auto",
        description="Whether API keys are asked for. auto: as soon as the gateway listens beyond loopback.",
    )
    allowed_hosts: Annotated[list[str], NoDecode] = Field(
        default=[], description="Host names that the gateway answers to beside loopback, separated by commas."
    )
    max_upload_bytes: int = Field(default=2 << 30, ge=1, description="Largest upload.")
    requests_per_minute: int = Field(default=1200, ge=0, description="Of one caller; 0 means no limit.")
    open_requests: int = Field(default=512, ge=1, description="Requests of one caller at once, event streams included.")

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return [h.strip() for h in value.split(",") if h.strip()] if isinstance(value, str) else value

    @property
    def keys_required(self) -> bool:
        """Whether a request needs an API key."""
        if self.keys != "auto":
            return self.keys == "required"
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"

    @property
    def addresses(self) -> dict[str, str]:
        """Service name -> host:port."""
        return {
            "trainer": self.trainer_address,
            "converter": self.converter_address,
            "indexer": self.indexer_address,
            "qa": self.qa_address,
        }
