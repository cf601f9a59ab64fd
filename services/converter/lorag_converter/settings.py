"""Settings of the converter."""

from __future__ import annotations

from pydantic import Field

from lorag_common.settings import ServiceSettings


class ConverterSettings(ServiceSettings):
    """The shared ones, with the port."""

    port: int = Field(default=50062, description="Port to listen on.")
