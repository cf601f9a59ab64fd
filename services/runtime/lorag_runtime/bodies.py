"""What the routes accept. Fields that the project does not use are ignored, as Ollama ignores unknown ones."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Sampling and context."""

    num_ctx: int | None = Field(default=None, ge=16)
    num_predict: int | None = None
    temperature: float | None = Field(default=None, ge=0)
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None
    seed: int | None = None
    stop: list[str] | None = None


class NameBody(BaseModel):
    """A model, under either of the two keys that Ollama takes."""

    model: str = ""
    name: str = ""

    @property
    def name_given(self) -> str:
        """Whichever of the two is set."""
        return self.model or self.name


class CreateBody(NameBody):
    """POST /api/create."""

    model_config = ConfigDict(populate_by_name=True)

    from_: str | None = Field(default=None, alias="from")
    files: dict[str, str] = Field(default_factory=dict)
    template: str | None = None
    system: str | None = None
    license: str | list[str] | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    stream: bool = True


class CopyBody(BaseModel):
    """POST /api/copy."""

    source: str
    destination: str


class Message(BaseModel):
    """One turn."""

    role: str
    content: str = ""


class ChatBody(BaseModel):
    """POST /api/chat."""

    model: str
    messages: list[Message] = Field(default_factory=list)
    options: Options = Field(default_factory=Options)
    stream: bool = True
    keep_alive: float | str | None = None


class GenerateBody(BaseModel):
    """POST /api/generate."""

    model: str
    prompt: str = ""
    system: str | None = None
    raw: bool = False
    options: Options = Field(default_factory=Options)
    stream: bool = True
    keep_alive: float | str | None = None


class EmbedBody(BaseModel):
    """POST /api/embed."""

    model: str
    input: str | list[str]
    truncate: bool = True
    options: Options = Field(default_factory=Options)
    keep_alive: float | str | None = None
