"""Settings of the converter."""

from __future__ import annotations

from pydantic import Field

from lorag_common.settings import ServiceSettings


class ConverterSettings(ServiceSettings):
    """`LORAG_CONVERTER_*`, beside the shared ones."""

    port: int = Field(default=50062, alias="LORAG_CONVERTER_PORT")
