"""Body of a pipeline."""

from __future__ import annotations

from pydantic import Field, model_validator

from lorag_gateway.bodies.shared import Body
from lorag_gateway.bodies.training import TrainingSettings


class PipelineBody(Body):
    """Train (unless an adapter or base_only is given), convert, publish, activate."""

    model: str = Field(description="Name of the release.", examples=["manual"])
    base_model: str = Field(
        default="", description="Needed to train and with base_only.", examples=["Qwen/Qwen2.5-0.5B-Instruct"]
    )
    dataset_id: str = Field(default="", description="Train on this dataset.")
    settings: TrainingSettings = Field(default_factory=TrainingSettings)
    adapter: str = Field(default="", description="Skip training: use this adapter folder.")
    base_only: bool = Field(default=False, description="Skip training: release the base as it is.")
    quantization: str = Field(default="", description="Empty means Q4_K_M.")
    activate: bool = Field(default=True, description="Let the release answer when it is published.")

    @model_validator(mode="after")
    def _one(self) -> PipelineBody:
        if sum((bool(self.dataset_id), bool(self.adapter), self.base_only)) != 1:
            raise ValueError("give exactly one of dataset_id, adapter and base_only")
        if not self.base_model and not self.adapter:
            raise ValueError("base_model is needed")
        return self
