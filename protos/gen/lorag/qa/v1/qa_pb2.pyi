import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from lorag.jobs.v1 import jobs_pb2 as _jobs_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AnswerMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ANSWER_MODE_UNSPECIFIED: _ClassVar[AnswerMode]
    ANSWER_MODE_OPEN: _ClassVar[AnswerMode]
    ANSWER_MODE_STRICT: _ClassVar[AnswerMode]

class SentenceStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SENTENCE_STATUS_UNSPECIFIED: _ClassVar[SentenceStatus]
    SENTENCE_STATUS_SUPPORTED: _ClassVar[SentenceStatus]
    SENTENCE_STATUS_UNSUPPORTED: _ClassVar[SentenceStatus]
    SENTENCE_STATUS_CONTRADICTED: _ClassVar[SentenceStatus]
    SENTENCE_STATUS_NO_CLAIM: _ClassVar[SentenceStatus]

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_USER: _ClassVar[Role]
    ROLE_ASSISTANT: _ClassVar[Role]

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_BETTER: _ClassVar[Verdict]
    VERDICT_NO_DIFFERENCE: _ClassVar[Verdict]
    VERDICT_WORSE: _ClassVar[Verdict]
    VERDICT_NOT_COMPARED: _ClassVar[Verdict]
ANSWER_MODE_UNSPECIFIED: AnswerMode
ANSWER_MODE_OPEN: AnswerMode
ANSWER_MODE_STRICT: AnswerMode
SENTENCE_STATUS_UNSPECIFIED: SentenceStatus
SENTENCE_STATUS_SUPPORTED: SentenceStatus
SENTENCE_STATUS_UNSUPPORTED: SentenceStatus
SENTENCE_STATUS_CONTRADICTED: SentenceStatus
SENTENCE_STATUS_NO_CLAIM: SentenceStatus
ROLE_UNSPECIFIED: Role
ROLE_USER: Role
ROLE_ASSISTANT: Role
VERDICT_UNSPECIFIED: Verdict
VERDICT_BETTER: Verdict
VERDICT_NO_DIFFERENCE: Verdict
VERDICT_WORSE: Verdict
VERDICT_NOT_COMPARED: Verdict

class Config(_message.Message):
    __slots__ = ("model", "release_id", "base_url", "temperature", "num_ctx", "top_k", "vector_weight", "embedder", "history", "problem", "keep_releases")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RELEASE_ID_FIELD_NUMBER: _ClassVar[int]
    BASE_URL_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    NUM_CTX_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    VECTOR_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    EMBEDDER_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    KEEP_RELEASES_FIELD_NUMBER: _ClassVar[int]
    model: str
    release_id: str
    base_url: str
    temperature: float
    num_ctx: int
    top_k: int
    vector_weight: float
    embedder: str
    history: _containers.RepeatedScalarFieldContainer[str]
    problem: str
    keep_releases: int
    def __init__(self, model: _Optional[str] = ..., release_id: _Optional[str] = ..., base_url: _Optional[str] = ..., temperature: _Optional[float] = ..., num_ctx: _Optional[int] = ..., top_k: _Optional[int] = ..., vector_weight: _Optional[float] = ..., embedder: _Optional[str] = ..., history: _Optional[_Iterable[str]] = ..., problem: _Optional[str] = ..., keep_releases: _Optional[int] = ...) -> None: ...

class Box(_message.Message):
    __slots__ = ("left", "top", "right", "bottom")
    LEFT_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    BOTTOM_FIELD_NUMBER: _ClassVar[int]
    left: float
    top: float
    right: float
    bottom: float
    def __init__(self, left: _Optional[float] = ..., top: _Optional[float] = ..., right: _Optional[float] = ..., bottom: _Optional[float] = ...) -> None: ...

class Source(_message.Message):
    __slots__ = ("number", "document_id", "document_name", "page", "span_start", "span_end", "text", "score", "boxes", "suspicious")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_NAME_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    SPAN_START_FIELD_NUMBER: _ClassVar[int]
    SPAN_END_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    BOXES_FIELD_NUMBER: _ClassVar[int]
    SUSPICIOUS_FIELD_NUMBER: _ClassVar[int]
    number: int
    document_id: str
    document_name: str
    page: int
    span_start: int
    span_end: int
    text: str
    score: float
    boxes: _containers.RepeatedCompositeFieldContainer[Box]
    suspicious: bool
    def __init__(self, number: _Optional[int] = ..., document_id: _Optional[str] = ..., document_name: _Optional[str] = ..., page: _Optional[int] = ..., span_start: _Optional[int] = ..., span_end: _Optional[int] = ..., text: _Optional[str] = ..., score: _Optional[float] = ..., boxes: _Optional[_Iterable[_Union[Box, _Mapping]]] = ..., suspicious: bool = ...) -> None: ...

class Turn(_message.Message):
    __slots__ = ("role", "text")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    role: Role
    text: str
    def __init__(self, role: _Optional[_Union[Role, str]] = ..., text: _Optional[str] = ...) -> None: ...

class Citation(_message.Message):
    __slots__ = ("number", "document_id", "document_name", "page", "span_start", "span_end", "quote", "boxes")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_NAME_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    SPAN_START_FIELD_NUMBER: _ClassVar[int]
    SPAN_END_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    BOXES_FIELD_NUMBER: _ClassVar[int]
    number: int
    document_id: str
    document_name: str
    page: int
    span_start: int
    span_end: int
    quote: str
    boxes: _containers.RepeatedCompositeFieldContainer[Box]
    def __init__(self, number: _Optional[int] = ..., document_id: _Optional[str] = ..., document_name: _Optional[str] = ..., page: _Optional[int] = ..., span_start: _Optional[int] = ..., span_end: _Optional[int] = ..., quote: _Optional[str] = ..., boxes: _Optional[_Iterable[_Union[Box, _Mapping]]] = ...) -> None: ...

class Sentence(_message.Message):
    __slots__ = ("text", "start", "end", "status", "support", "citations", "marked", "reason", "withheld")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_FIELD_NUMBER: _ClassVar[int]
    CITATIONS_FIELD_NUMBER: _ClassVar[int]
    MARKED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    text: str
    start: int
    end: int
    status: SentenceStatus
    support: float
    citations: _containers.RepeatedCompositeFieldContainer[Citation]
    marked: _containers.RepeatedScalarFieldContainer[int]
    reason: str
    withheld: bool
    def __init__(self, text: _Optional[str] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., status: _Optional[_Union[SentenceStatus, str]] = ..., support: _Optional[float] = ..., citations: _Optional[_Iterable[_Union[Citation, _Mapping]]] = ..., marked: _Optional[_Iterable[int]] = ..., reason: _Optional[str] = ..., withheld: bool = ...) -> None: ...

class Tokens(_message.Message):
    __slots__ = ("budgeted", "sent", "evaluated", "answer", "exact", "passages_left_out", "turns_left_out")
    BUDGETED_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    TURNS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    budgeted: int
    sent: int
    evaluated: int
    answer: int
    exact: bool
    passages_left_out: int
    turns_left_out: int
    def __init__(self, budgeted: _Optional[int] = ..., sent: _Optional[int] = ..., evaluated: _Optional[int] = ..., answer: _Optional[int] = ..., exact: bool = ..., passages_left_out: _Optional[int] = ..., turns_left_out: _Optional[int] = ...) -> None: ...

class AnswerRequest(_message.Message):
    __slots__ = ("question", "model", "top_k", "temperature", "document_ids", "max_tokens", "mode", "history")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    question: str
    model: str
    top_k: int
    temperature: float
    document_ids: _containers.RepeatedScalarFieldContainer[str]
    max_tokens: int
    mode: AnswerMode
    history: _containers.RepeatedCompositeFieldContainer[Turn]
    def __init__(self, question: _Optional[str] = ..., model: _Optional[str] = ..., top_k: _Optional[int] = ..., temperature: _Optional[float] = ..., document_ids: _Optional[_Iterable[str]] = ..., max_tokens: _Optional[int] = ..., mode: _Optional[_Union[AnswerMode, str]] = ..., history: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ...) -> None: ...

class AnswerResponse(_message.Message):
    __slots__ = ("sources", "text", "end", "thinking")
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    THINKING_FIELD_NUMBER: _ClassVar[int]
    sources: Sources
    text: str
    end: AnswerEnd
    thinking: str
    def __init__(self, sources: _Optional[_Union[Sources, _Mapping]] = ..., text: _Optional[str] = ..., end: _Optional[_Union[AnswerEnd, _Mapping]] = ..., thinking: _Optional[str] = ...) -> None: ...

class Sources(_message.Message):
    __slots__ = ("sources", "query", "notices")
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    sources: _containers.RepeatedCompositeFieldContainer[Source]
    query: str
    notices: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, sources: _Optional[_Iterable[_Union[Source, _Mapping]]] = ..., query: _Optional[str] = ..., notices: _Optional[_Iterable[str]] = ...) -> None: ...

class AnswerEnd(_message.Message):
    __slots__ = ("model", "prompt_tokens", "evaluated_tokens", "answer_tokens", "cited", "finish_reason", "first_token_seconds", "total_seconds", "sentences", "answered", "refusal", "tokens", "queue_seconds")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    ANSWER_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CITED_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    FIRST_TOKEN_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    model: str
    prompt_tokens: int
    evaluated_tokens: int
    answer_tokens: int
    cited: _containers.RepeatedScalarFieldContainer[int]
    finish_reason: str
    first_token_seconds: float
    total_seconds: float
    sentences: _containers.RepeatedCompositeFieldContainer[Sentence]
    answered: bool
    refusal: str
    tokens: Tokens
    queue_seconds: float
    def __init__(self, model: _Optional[str] = ..., prompt_tokens: _Optional[int] = ..., evaluated_tokens: _Optional[int] = ..., answer_tokens: _Optional[int] = ..., cited: _Optional[_Iterable[int]] = ..., finish_reason: _Optional[str] = ..., first_token_seconds: _Optional[float] = ..., total_seconds: _Optional[float] = ..., sentences: _Optional[_Iterable[_Union[Sentence, _Mapping]]] = ..., answered: bool = ..., refusal: _Optional[str] = ..., tokens: _Optional[_Union[Tokens, _Mapping]] = ..., queue_seconds: _Optional[float] = ...) -> None: ...

class ActivateReleaseRequest(_message.Message):
    __slots__ = ("release_id", "force")
    RELEASE_ID_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    release_id: str
    force: bool
    def __init__(self, release_id: _Optional[str] = ..., force: bool = ...) -> None: ...

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

class TestQuestion(_message.Message):
    __slots__ = ("question", "expected", "document_id", "page")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    question: str
    expected: _containers.RepeatedScalarFieldContainer[str]
    document_id: str
    page: int
    def __init__(self, question: _Optional[str] = ..., expected: _Optional[_Iterable[str]] = ..., document_id: _Optional[str] = ..., page: _Optional[int] = ...) -> None: ...

class StartEvaluationRequest(_message.Message):
    __slots__ = ("release_id", "baseline", "questions", "question_count", "request_id")
    RELEASE_ID_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    QUESTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    release_id: str
    baseline: str
    questions: _containers.RepeatedCompositeFieldContainer[TestQuestion]
    question_count: int
    request_id: str
    def __init__(self, release_id: _Optional[str] = ..., baseline: _Optional[str] = ..., questions: _Optional[_Iterable[_Union[TestQuestion, _Mapping]]] = ..., question_count: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class StartEvaluationResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _jobs_pb2.Job
    def __init__(self, job: _Optional[_Union[_jobs_pb2.Job, _Mapping]] = ...) -> None: ...

class Quality(_message.Message):
    __slots__ = ("model", "correctness", "citation_precision", "citation_recall", "refusal", "supported", "first_token_p50", "total_p50", "total_p95")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CORRECTNESS_FIELD_NUMBER: _ClassVar[int]
    CITATION_PRECISION_FIELD_NUMBER: _ClassVar[int]
    CITATION_RECALL_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    SUPPORTED_FIELD_NUMBER: _ClassVar[int]
    FIRST_TOKEN_P50_FIELD_NUMBER: _ClassVar[int]
    TOTAL_P50_FIELD_NUMBER: _ClassVar[int]
    TOTAL_P95_FIELD_NUMBER: _ClassVar[int]
    model: str
    correctness: float
    citation_precision: float
    citation_recall: float
    refusal: float
    supported: float
    first_token_p50: float
    total_p50: float
    total_p95: float
    def __init__(self, model: _Optional[str] = ..., correctness: _Optional[float] = ..., citation_precision: _Optional[float] = ..., citation_recall: _Optional[float] = ..., refusal: _Optional[float] = ..., supported: _Optional[float] = ..., first_token_p50: _Optional[float] = ..., total_p50: _Optional[float] = ..., total_p95: _Optional[float] = ...) -> None: ...

class Difference(_message.Message):
    __slots__ = ("score", "mean", "low", "high")
    SCORE_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    score: str
    mean: float
    low: float
    high: float
    def __init__(self, score: _Optional[str] = ..., mean: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class Evaluation(_message.Message):
    __slots__ = ("release_id", "baseline", "verdict", "summary", "question_count", "unanswerable_count", "generated", "candidate", "current", "differences", "create_time", "evaluation_json")
    RELEASE_ID_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    QUESTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNANSWERABLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    GENERATED_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_JSON_FIELD_NUMBER: _ClassVar[int]
    release_id: str
    baseline: str
    verdict: Verdict
    summary: str
    question_count: int
    unanswerable_count: int
    generated: bool
    candidate: Quality
    current: Quality
    differences: _containers.RepeatedCompositeFieldContainer[Difference]
    create_time: _timestamp_pb2.Timestamp
    evaluation_json: str
    def __init__(self, release_id: _Optional[str] = ..., baseline: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., summary: _Optional[str] = ..., question_count: _Optional[int] = ..., unanswerable_count: _Optional[int] = ..., generated: bool = ..., candidate: _Optional[_Union[Quality, _Mapping]] = ..., current: _Optional[_Union[Quality, _Mapping]] = ..., differences: _Optional[_Iterable[_Union[Difference, _Mapping]]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., evaluation_json: _Optional[str] = ...) -> None: ...

class GetEvaluationRequest(_message.Message):
    __slots__ = ("release_id",)
    RELEASE_ID_FIELD_NUMBER: _ClassVar[int]
    release_id: str
    def __init__(self, release_id: _Optional[str] = ...) -> None: ...

class GetEvaluationResponse(_message.Message):
    __slots__ = ("evaluation",)
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...

class GetConfigRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetConfigResponse(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: Config
    def __init__(self, config: _Optional[_Union[Config, _Mapping]] = ...) -> None: ...

class UpdateConfigRequest(_message.Message):
    __slots__ = ("base_url", "temperature", "num_ctx", "top_k", "vector_weight", "embedder", "keep_releases")
    BASE_URL_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    NUM_CTX_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    VECTOR_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    EMBEDDER_FIELD_NUMBER: _ClassVar[int]
    KEEP_RELEASES_FIELD_NUMBER: _ClassVar[int]
    base_url: str
    temperature: float
    num_ctx: int
    top_k: int
    vector_weight: float
    embedder: str
    keep_releases: int
    def __init__(self, base_url: _Optional[str] = ..., temperature: _Optional[float] = ..., num_ctx: _Optional[int] = ..., top_k: _Optional[int] = ..., vector_weight: _Optional[float] = ..., embedder: _Optional[str] = ..., keep_releases: _Optional[int] = ...) -> None: ...

class UpdateConfigResponse(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: Config
    def __init__(self, config: _Optional[_Union[Config, _Mapping]] = ...) -> None: ...
