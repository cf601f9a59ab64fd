"""Requests in the shape of OpenAI's API (https://platform.openai.com/docs/api-reference/chat).

Fields that have no meaning here are taken and left alone, as that API's other servers do; those that would change the
answer and cannot be kept (tools, several choices) are refused.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lorag_common.errors import LoragError, Reason
from lorag_gateway.bodies.shared import MODEL


class Shape(BaseModel):
    """Unknown fields are left alone."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class ContentPart(Shape):
    """A piece of a message."""

    type: Literal["text"]
    text: str


class Message(Shape):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ContentPart] | None = None

    @property
    def text(self) -> str:
        """The message's text, whole."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(Shape):
    """How to stream."""

    include_usage: bool = False


class ChatBody(Shape):
    """POST /v1/chat/completions."""

    model: str = Field(
        description="A release or model; `+docs` after it answers from the documents.",
        pattern=MODEL,
        examples=["manual+docs"],
    )
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1, lt=2**31)
    max_completion_tokens: int | None = Field(default=None, ge=1, lt=2**31)
    seed: int | None = Field(default=None, ge=-(2**31), lt=2**31)
    stop: str | list[str] | None = None
    n: int | None = Field(default=None, ge=1)
    tools: list[Any] | None = None

    @field_validator("messages")
    @classmethod
    def _question(cls, value: list[Message]) -> list[Message]:
        if value[-1].role != "user":
            raise ValueError("the last message is the user's")
        return value

    def refuse_what_is_not_there(self) -> None:
        """Refuse what would be ignored silently.

        Raises:
            LoragError: INVALID_FIELD.
        """
        if self.n not in (None, 1):
            raise LoragError(Reason.INVALID_FIELD, "There is one choice an answer.", field="n")
        if self.tools:
            raise LoragError(Reason.INVALID_FIELD, "Tools are not supported.", field="tools")

    @property
    def most_tokens(self) -> int:
        """Most tokens of the answer; 0 when not said."""
        return self.max_completion_tokens or self.max_tokens or 0


class EmbeddingsBody(Shape):
    """POST /v1/embeddings."""

    model: str = Field(pattern=MODEL, examples=["manual"])
    input: str | list[str] = Field(description="One text or several.")
    encoding_format: Literal["float", "base64"] = "float"

    @property
    def texts(self) -> list[str]:
        """The texts.

        Raises:
            LoragError: INVALID_FIELD when there is none.
        """
        texts = [self.input] if isinstance(self.input, str) else self.input
        if not texts or not all(texts):
            raise LoragError(Reason.INVALID_FIELD, "input has at least one text, and none is empty.", field="input")
        return texts
