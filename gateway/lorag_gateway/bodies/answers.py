"""Bodies of answers and of the configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lorag.qa.v1 import qa_pb2 as pb
from lorag_gateway.bodies.shared import MODEL, Body, Int32


class TurnBody(Body):
    """One message of the conversation so far."""

    role: Literal["user", "assistant"] = Field(description="Who said it.")
    text: str = Field(description="What was said, without thinking.")


class AnswerBody(Body):
    """A question."""

    question: str = Field(description="The question.", examples=["保証期間は何年ですか"])
    model: str = Field(
        default="", pattern=f"^$|{MODEL}", description="Ask this model or release instead of the active one."
    )
    top_k: Int32 = Field(default=0, description="Passages to retrieve; 0 means as configured.")
    temperature: float | None = Field(default=None, description="Not set means as configured.")
    document_ids: list[str] = Field(default=[], description="Only in these documents.")
    max_tokens: Int32 = Field(default=0, description="Most tokens of the answer; 0 means 512.")
    mode: Literal["open", "strict"] = Field(
        default="open", description="strict withholds sentences that the passages do not support."
    )
    history: list[TurnBody] = Field(default=[], description="The conversation so far, oldest first.")
    keep_seconds: float = Field(
        default=0,
        ge=0,
        le=300,
        description=(
            "How long the answer goes on, and is kept, while nobody reads it: the response's `Answer-Id` leads back to it. "
            "0 stops it when the connection ends."
        ),
    )

    def to_proto(self) -> pb.AnswerRequest:
        """The service's request."""
        return pb.AnswerRequest(
            question=self.question,
            model=self.model,
            top_k=self.top_k,
            temperature=self.temperature,
            document_ids=self.document_ids,
            max_tokens=self.max_tokens,
            mode=f"ANSWER_MODE_{self.mode.upper()}",
            history=[pb.Turn(role=f"ROLE_{t.role.upper()}", text=t.text) for t in self.history],
        )


class ConfigBody(Body):
    """Settings to change; those not given stay."""

    base_url: str | None = Field(default=None, description="Address of the model server.")
    temperature: float | None = Field(default=None, description="0 to 2.")
    num_ctx: Int32 | None = Field(default=None, description="Context window in tokens, at least 256.")
    top_k: Int32 | None = Field(default=None, description="Passages given to the model, 1 to 50.")
    vector_weight: float | None = Field(default=None, description="0 to 1.")
    embedder: str | None = Field(default=None, description="Embedder.")
    keep_releases: Int32 | None = Field(default=None, description="Releases kept for a rollback, 1 to 100.")
