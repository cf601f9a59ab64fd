"""Request bodies. Values are checked by the service that uses them; here only shapes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lorag.converter.v1 import converter_pb2
from lorag.trainer.v1 import trainer_pb2

Int32 = Annotated[int, Field(ge=-(2**31), lt=2**31)]
PageSize = Annotated[int, Query(ge=0, le=200, description="At most this many; 0 means 50.")]
PageToken = Annotated[str, Query(max_length=200, description="`next_page_token` of the page before.")]
IdempotencyKey = Annotated[
    str,
    Header(alias="Idempotency-Key", max_length=200, description="Makes the call safe to repeat; any unique string."),
]


class Body(BaseModel):
    """Refuses unknown fields, so that a misspelt setting is not silently ignored."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class TrainingSettings(Body):
    """The knobs of a fine-tuning; unset fields take the defaults named here."""

    use_qlora: bool | None = Field(default=None, description="Load the base quantized, train LoRA on it. Default true.")
    qlora_4bit: bool | None = Field(default=None, description="4-bit NF4 with double quantization. Default true.")
    r: Int32 | None = Field(default=None, description="LoRA rank. Default 16.")
    lora_alpha: Int32 | None = Field(default=None, description="LoRA scaling numerator. Default 32.")
    lora_dropout: float | None = Field(
        default=None, description="Dropout within the LoRA path, 0 to below 1. Default 0."
    )
    epochs: float | None = Field(default=None, description="Passes over the dataset. Default 3.")
    max_steps: Int32 | None = Field(default=None, description="Optimizer steps; 0 means by epochs. Default 0.")
    batch_size: Int32 | None = Field(default=None, description="Examples per device and micro-step. Default 1.")
    gradient_accumulation: Int32 | None = Field(default=None, description="Micro-steps per optimizer step. Default 8.")
    learning_rate: float | None = Field(default=None, description="Peak learning rate. Default 2e-4.")
    warmup_steps: Int32 | None = Field(default=None, description="Steps of linear warm-up. Default 5.")
    scheduler: str | None = Field(default=None, description="cosine, linear or constant. Default cosine.")
    max_length: Int32 | None = Field(
        default=None, description="Longest example in tokens; a longer one is refused. Default 2048."
    )
    checkpoint_steps: Int32 | None = Field(default=None, description="Steps between checkpoints. Default 50.")
    heldout_fraction: float | None = Field(
        default=None, description="Share of examples held out, 0 to 0.5. Default 0.05."
    )
    gradient_checkpointing: bool | None = Field(
        default=None, description="Trade time for memory. Default true on CUDA."
    )
    seed: Int32 | None = Field(default=None, description="Of data order and initial adapter weights. Default 0.")

    def to_proto(self) -> trainer_pb2.TrainingSettings:
        """Only what was set."""
        return trainer_pb2.TrainingSettings(**self.model_dump(exclude_none=True))


class TrainingBody(Body):
    """A training to start or to estimate."""

    base_model: str = Field(
        description="A folder below the model roots, or a name in the hub cache.",
        examples=["Qwen/Qwen2.5-0.5B-Instruct"],
    )
    dataset_id: str = Field(description="Of an uploaded dataset.", examples=["9f86d081884c7d65"])
    settings: TrainingSettings = Field(default_factory=TrainingSettings)


class Source(Body):
    """Which weights to convert; none of the three adapter fields means the newest adapter."""

    adapter: str | None = Field(
        default=None, description="An adapter's folder.", examples=["outputs/lora_20260101/final_lora_model"]
    )
    newest: bool = Field(default=False, description="The newest finished adapter.")
    base_only: bool = Field(default=False, description="No adapter: the base as it is.")
    base_model: str = Field(default="", description="The base; empty means the one that the adapter names.")

    @model_validator(mode="after")
    def _one(self) -> Source:
        if sum((self.adapter is not None, self.newest, self.base_only)) > 1:
            raise ValueError("give at most one of adapter, newest and base_only")
        return self

    def to_source(self) -> converter_pb2.ConversionSource:
        """The oneof of the proto."""
        source = converter_pb2.ConversionSource(base_model=self.base_model)
        if self.adapter is not None:
            source.path = self.adapter
        elif self.base_only:
            source.base_only = True
        else:
            source.newest = True
        return source


class EstimateConversionBody(Source):
    """A conversion to estimate."""

    quantization: str = Field(default="", description="Empty means Q4_K_M.", examples=["Q4_K_M"])
    gpu_memory_bytes: list[int] = Field(
        default=[], description="Memory of each serving GPU; empty means this machine's.", examples=[[25757220864] * 2]
    )
    context_tokens: int = Field(default=0, description="Tokens of context per request; 0 means 8192.", examples=[32768])
    parallel_requests: int = Field(default=0, description="Requests at once; 0 means 1.", examples=[1])


class ConversionBody(Source):
    """A conversion to start."""

    quantization: str = Field(default="", description="Empty means Q4_K_M.", examples=["Q4_K_M"])
    model: str = Field(description="Name of the release.", examples=["manual"])


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


class SearchBody(Body):
    """A query."""

    query: str = Field(description="What to look for.", examples=["保証期間は何年ですか"])
    top_k: Int32 = Field(default=0, description="At most this many hits; 0 means 5.")
    document_ids: list[str] = Field(default_factory=list, description="Only in these documents.")
    vector_weight: float | None = Field(default=None, description="0 (keywords alone) to 1 (vectors alone).")


class AnswerBody(Body):
    """A question."""

    question: str = Field(description="The question.", examples=["保証期間は何年ですか"])
    model: str = Field(default="", description="Ask this model or release instead of the active one.")
    top_k: Int32 = Field(default=0, description="Passages to retrieve; 0 means as configured.")
    temperature: float | None = Field(default=None, description="Not set means as configured.")
    document_ids: list[str] = Field(default_factory=list, description="Only in these documents.")
    max_tokens: Int32 = Field(default=0, description="Most tokens of the answer; 0 means 512.")


class ConfigBody(Body):
    """Settings to change; those not given stay."""

    base_url: str | None = Field(default=None, description="Address of the model server.")
    temperature: float | None = Field(default=None, description="0 to 2.")
    num_ctx: Int32 | None = Field(default=None, description="Context window in tokens, at least 256.")
    top_k: Int32 | None = Field(default=None, description="Passages given to the model, 1 to 50.")
    vector_weight: float | None = Field(default=None, description="0 to 1.")
    embedder: str | None = Field(default=None, description="Embedder.")
