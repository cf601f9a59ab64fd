"""Settings of the trainer."""

from __future__ import annotations

from pydantic import Field

from lorag_common.settings import ServiceSettings


class TrainerSettings(ServiceSettings):
    """Shared settings, the trainer's port and its upload limit."""

    port: int = Field(default=50061, description="Port to listen on; 0 lets the system choose.")
    max_dataset_bytes: int = Field(default=2 << 30, gt=0, description="Largest dataset that may be uploaded, in bytes.")
