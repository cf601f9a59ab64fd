"""Body of a pipeline."""

from __future__ import annotations

from pydantic import Field, model_validator

from lorag_gateway.bodies.shared import Body
from lorag_gateway.bodies.training import TrainingSettings

_ENTRIES = "dataset_id, adapter, newest, base_only and release_id"


class PipelineBody(Body):
    """Train, convert, publish, evaluate, activate: from the step that what is given leads into."""

    model: str = Field(
        default="", description="Name of the release; needed unless release_id is given.", examples=["manual"]
    )
    base_model: str = Field(
        default="", description="Needed to train and with base_only.", examples=["Qwen/Qwen2.5-0.5B-Instruct"]
    )
    dataset_id: str = Field(default="", description="Begin with training, on this dataset.")
    settings: TrainingSettings = Field(default_factory=TrainingSettings)
    adapter: str = Field(default="", description="Begin with the conversion of this adapter's folder.")
    newest: bool = Field(default=False, description="Begin with the conversion of the newest adapter.")
    base_only: bool = Field(default=False, description="Begin with the conversion of the base as it is.")
    release_id: str = Field(
        default="", description="Begin with the publication of this release.", examples=["manual:v1"]
    )
    quantization: str = Field(default="", description="Empty means Q4_K_M.")
    evaluate: bool = Field(default=True, description="Measure the release against the active one before it answers.")
    activate: bool = Field(default=True, description="Let the release answer, unless it was measured to be worse.")
    force: bool = Field(default=False, description="Let it answer even when it was measured to be worse.")

    @model_validator(mode="after")
    def _one(self) -> PipelineBody:
        given = (bool(self.dataset_id), bool(self.adapter), self.newest, self.base_only, bool(self.release_id))
        if sum(given) != 1:
            raise ValueError(f"give exactly one of {_ENTRIES}")
        if not self.base_model and (self.dataset_id or self.base_only):
            raise ValueError("base_model is needed")
        if not self.model and not self.release_id:
            raise ValueError("model is needed")
        return self
