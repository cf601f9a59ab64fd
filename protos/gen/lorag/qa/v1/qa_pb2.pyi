from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Config(_message.Message):
    __slots__ = ("model", "release_id", "base_url", "temperature", "num_ctx", "top_k", "vector_weight", "embedder", "history")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RELEASE_ID_FIELD_NUMBER: _ClassVar[int]
    BASE_URL_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    NUM_CTX_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    VECTOR_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    EMBEDDER_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    model: str
    release_id: str
    base_url: str
    temperature: float
    num_ctx: int
    top_k: int
    vector_weight: float
    embedder: str
    history: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[str] = ..., release_id: _Optional[str] = ..., base_url: _Optional[str] = ..., temperature: _Optional[float] = ..., num_ctx: _Optional[int] = ..., top_k: _Optional[int] = ..., vector_weight: _Optional[float] = ..., embedder: _Optional[str] = ..., history: _Optional[_Iterable[str]] = ...) -> None: ...

class Source(_message.Message):
    __slots__ = ("number", "document_id", "document_name", "page", "span_start", "span_end", "text", "score")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_NAME_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    SPAN_START_FIELD_NUMBER: _ClassVar[int]
    SPAN_END_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    number: int
    document_id: str
    document_name: str
    page: int
    span_start: int
    span_end: int
    text: str
    score: float
    def __init__(self, number: _Optional[int] = ..., document_id: _Optional[str] = ..., document_name: _Optional[str] = ..., page: _Optional[int] = ..., span_start: _Optional[int] = ..., span_end: _Optional[int] = ..., text: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...

class AnswerRequest(_message.Message):
    __slots__ = ("question", "model", "top_k", "temperature", "document_ids", "max_tokens")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    question: str
    model: str
    top_k: int
    temperature: float
    document_ids: _containers.RepeatedScalarFieldContainer[str]
    max_tokens: int
    def __init__(self, question: _Optional[str] = ..., model: _Optional[str] = ..., top_k: _Optional[int] = ..., temperature: _Optional[float] = ..., document_ids: _Optional[_Iterable[str]] = ..., max_tokens: _Optional[int] = ...) -> None: ...

class AnswerResponse(_message.Message):
    __slots__ = ("sources", "text", "end")
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    sources: Sources
    text: str
    end: AnswerEnd
    def __init__(self, sources: _Optional[_Union[Sources, _Mapping]] = ..., text: _Optional[str] = ..., end: _Optional[_Union[AnswerEnd, _Mapping]] = ...) -> None: ...

class Sources(_message.Message):
    __slots__ = ("sources",)
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    sources: _containers.RepeatedCompositeFieldContainer[Source]
    def __init__(self, sources: _Optional[_Iterable[_Union[Source, _Mapping]]] = ...) -> None: ...

class AnswerEnd(_message.Message):
    __slots__ = ("model", "prompt_tokens", "evaluated_tokens", "answer_tokens", "cited", "finish_reason", "first_token_seconds", "total_seconds")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    ANSWER_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CITED_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    FIRST_TOKEN_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    model: str
    prompt_tokens: int
    evaluated_tokens: int
    answer_tokens: int
    cited: _containers.RepeatedScalarFieldContainer[int]
    finish_reason: str
    first_token_seconds: float
    total_seconds: float
    def __init__(self, model: _Optional[str] = ..., prompt_tokens: _Optional[int] = ..., evaluated_tokens: _Optional[int] = ..., answer_tokens: _Optional[int] = ..., cited: _Optional[_Iterable[int]] = ..., finish_reason: _Optional[str] = ..., first_token_seconds: _Optional[float] = ..., total_seconds: _Optional[float] = ...) -> None: ...

class ActivateReleaseRequest(_message.Message):
    __slots__ = ("release_id",)
    RELEASE_ID_FIELD_NUMBER: _ClassVar[int]
    release_id: str
    def __init__(self, release_id: _Optional[str] = ...) -> None: ...

class ActivateReleaseResponse(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: Config
    def __init__(self, config: _Optional[_Union[Config, _Mapping]] = ...) -> None: ...

class RollbackReleaseRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RollbackReleaseResponse(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: Config
    def __init__(self, config: _Optional[_Union[Config, _Mapping]] = ...) -> None: ...

class GetConfigRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetConfigResponse(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: Config
    def __init__(self, config: _Optional[_Union[Config, _Mapping]] = ...) -> None: ...

class UpdateConfigRequest(_message.Message):
    __slots__ = ("base_url", "temperature", "num_ctx", "top_k", "vector_weight", "embedder")
    BASE_URL_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    NUM_CTX_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    VECTOR_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    EMBEDDER_FIELD_NUMBER: _ClassVar[int]
    base_url: str
    temperature: float
    num_ctx: int
    top_k: int
    vector_weight: float
    embedder: str
    def __init__(self, base_url: _Optional[str] = ..., temperature: _Optional[float] = ..., num_ctx: _Optional[int] = ..., top_k: _Optional[int] = ..., vector_weight: _Optional[float] = ..., embedder: _Optional[str] = ...) -> None: ...

class UpdateConfigResponse(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: Config
    def __init__(self, config: _Optional[_Union[Config, _Mapping]] = ...) -> None: ...
