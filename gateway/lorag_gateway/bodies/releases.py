"""Bodies of conversions and releases."""

from __future__ import annotations

from pydantic import Field, model_validator

from lorag.converter.v1 import converter_pb2
from lorag_gateway.bodies.shared import Body, Int32, Int64


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
    gpu_memory_bytes: list[Int64] = Field(
        default=[], description="Memory of each serving GPU; empty means this machine's.", examples=[[25757220864] * 2]
    )
    context_tokens: Int32 = Field(
        default=0, description="Tokens of context per request; 0 means 8192.", examples=[32768]
    )
    parallel_requests: Int32 = Field(default=0, description="Requests at once; 0 means 1.", examples=[1])


class ConversionBody(Source):
    """A conversion to start."""

    quantization: str = Field(default="", description="Empty means Q4_K_M.", examples=["Q4_K_M"])
    model: str = Field(description="Name of the release.", examples=["manual"])


class PublicationBody(Body):
    """How to publish."""

    system: str = Field(default="", description="Default system text of the published model.")
    license: str = Field(default="", description="Licence text; empty means the base model's.")


class ActivationBody(Body):
    """How to activate."""

    force: bool = Field(default=False, description="Also when its evaluation found it worse.")


class TestQuestionBody(Body):
    """A question whose answer is known."""

    question: str = Field(description="The question.", examples=["保証期間は何年ですか"])
    expected: list[str] = Field(
        default=[], description="The answer holds one of these; empty when the documents do not answer it."
    )
    document_id: str = Field(default="", description="Document that answers it; empty means any.")
    page: Int32 = Field(default=0, description="Page that answers it; 0 means any.")


class EvaluationBody(Body):
    """What to ask."""

    baseline: str = Field(default="", description="Compare with this; empty means the active release.")
    questions: list[TestQuestionBody] = Field(default=[], description="Empty means questions from the documents.")
    question_count: Int32 = Field(default=0, description="How many to make when none are given; 0 means 24.")
