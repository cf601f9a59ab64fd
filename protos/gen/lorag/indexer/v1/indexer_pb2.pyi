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

class DocumentState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DOCUMENT_STATE_UNSPECIFIED: _ClassVar[DocumentState]
    DOCUMENT_STATE_INDEXING: _ClassVar[DocumentState]
    DOCUMENT_STATE_READY: _ClassVar[DocumentState]
    DOCUMENT_STATE_FAILED: _ClassVar[DocumentState]

class DocumentKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DOCUMENT_KIND_UNSPECIFIED: _ClassVar[DocumentKind]
    DOCUMENT_KIND_PDF: _ClassVar[DocumentKind]
    DOCUMENT_KIND_MARKDOWN: _ClassVar[DocumentKind]
    DOCUMENT_KIND_TEXT: _ClassVar[DocumentKind]

class PageState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAGE_STATE_UNSPECIFIED: _ClassVar[PageState]
    PAGE_STATE_TEXT: _ClassVar[PageState]
    PAGE_STATE_BLANK: _ClassVar[PageState]
    PAGE_STATE_NEEDS_OCR: _ClassVar[PageState]
    PAGE_STATE_UNREADABLE: _ClassVar[PageState]

class SearchMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEARCH_MODE_UNSPECIFIED: _ClassVar[SearchMode]
    SEARCH_MODE_HYBRID: _ClassVar[SearchMode]
    SEARCH_MODE_KEYWORD: _ClassVar[SearchMode]
    SEARCH_MODE_VECTOR: _ClassVar[SearchMode]

class TokenKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOKEN_KIND_UNSPECIFIED: _ClassVar[TokenKind]
    TOKEN_KIND_WORD: _ClassVar[TokenKind]
    TOKEN_KIND_MORPHEME: _ClassVar[TokenKind]
    TOKEN_KIND_BIGRAM: _ClassVar[TokenKind]
    TOKEN_KIND_CHARACTER: _ClassVar[TokenKind]

class ProbeSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROBE_SOURCE_UNSPECIFIED: _ClassVar[ProbeSource]
    PROBE_SOURCE_GIVEN: _ClassVar[ProbeSource]
    PROBE_SOURCE_DOCUMENTS: _ClassVar[ProbeSource]
    PROBE_SOURCE_GENERATED: _ClassVar[ProbeSource]
DOCUMENT_STATE_UNSPECIFIED: DocumentState
DOCUMENT_STATE_INDEXING: DocumentState
DOCUMENT_STATE_READY: DocumentState
DOCUMENT_STATE_FAILED: DocumentState
DOCUMENT_KIND_UNSPECIFIED: DocumentKind
DOCUMENT_KIND_PDF: DocumentKind
DOCUMENT_KIND_MARKDOWN: DocumentKind
DOCUMENT_KIND_TEXT: DocumentKind
PAGE_STATE_UNSPECIFIED: PageState
PAGE_STATE_TEXT: PageState
PAGE_STATE_BLANK: PageState
PAGE_STATE_NEEDS_OCR: PageState
PAGE_STATE_UNREADABLE: PageState
SEARCH_MODE_UNSPECIFIED: SearchMode
SEARCH_MODE_HYBRID: SearchMode
SEARCH_MODE_KEYWORD: SearchMode
SEARCH_MODE_VECTOR: SearchMode
TOKEN_KIND_UNSPECIFIED: TokenKind
TOKEN_KIND_WORD: TokenKind
TOKEN_KIND_MORPHEME: TokenKind
TOKEN_KIND_BIGRAM: TokenKind
TOKEN_KIND_CHARACTER: TokenKind
PROBE_SOURCE_UNSPECIFIED: ProbeSource
PROBE_SOURCE_GIVEN: ProbeSource
PROBE_SOURCE_DOCUMENTS: ProbeSource
PROBE_SOURCE_GENERATED: ProbeSource

class Notice(_message.Message):
    __slots__ = ("reason", "message", "remedy")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    remedy: str
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., remedy: _Optional[str] = ...) -> None: ...

class Box(_message.Message):
    __slots__ = ("left", "top", "right", "bottom", "span_start", "span_end")
    LEFT_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    BOTTOM_FIELD_NUMBER: _ClassVar[int]
    SPAN_START_FIELD_NUMBER: _ClassVar[int]
    SPAN_END_FIELD_NUMBER: _ClassVar[int]
    left: float
    top: float
    right: float
    bottom: float
    span_start: int
    span_end: int
    def __init__(self, left: _Optional[float] = ..., top: _Optional[float] = ..., right: _Optional[float] = ..., bottom: _Optional[float] = ..., span_start: _Optional[int] = ..., span_end: _Optional[int] = ...) -> None: ...

class Page(_message.Message):
    __slots__ = ("page", "state", "method", "score", "characters", "characters_left_out", "notes")
    PAGE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    page: int
    state: PageState
    method: str
    score: float
    characters: int
    characters_left_out: int
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, page: _Optional[int] = ..., state: _Optional[_Union[PageState, str]] = ..., method: _Optional[str] = ..., score: _Optional[float] = ..., characters: _Optional[int] = ..., characters_left_out: _Optional[int] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class Document(_message.Message):
    __slots__ = ("id", "name", "size", "state", "page_count", "chunk_count", "pages_without_text", "error", "job_id", "create_time", "kind", "tags", "date", "quality", "notices")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CHUNK_COUNT_FIELD_NUMBER: _ClassVar[int]
    PAGES_WITHOUT_TEXT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    DATE_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    size: int
    state: DocumentState
    page_count: int
    chunk_count: int
    pages_without_text: _containers.RepeatedScalarFieldContainer[int]
    error: _jobs_pb2.JobError
    job_id: str
    create_time: _timestamp_pb2.Timestamp
    kind: DocumentKind
    tags: _containers.RepeatedScalarFieldContainer[str]
    date: _timestamp_pb2.Timestamp
    quality: float
    notices: _containers.RepeatedCompositeFieldContainer[Notice]
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., size: _Optional[int] = ..., state: _Optional[_Union[DocumentState, str]] = ..., page_count: _Optional[int] = ..., chunk_count: _Optional[int] = ..., pages_without_text: _Optional[_Iterable[int]] = ..., error: _Optional[_Union[_jobs_pb2.JobError, _Mapping]] = ..., job_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[_Union[DocumentKind, str]] = ..., tags: _Optional[_Iterable[str]] = ..., date: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., quality: _Optional[float] = ..., notices: _Optional[_Iterable[_Union[Notice, _Mapping]]] = ...) -> None: ...

class Hit(_message.Message):
    __slots__ = ("chunk_id", "document_id", "document_name", "page", "span_start", "span_end", "text", "score", "vector_score", "keyword_score", "vector_rank", "keyword_rank", "boxes", "rerank_score")
    CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_NAME_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    SPAN_START_FIELD_NUMBER: _ClassVar[int]
    SPAN_END_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    VECTOR_SCORE_FIELD_NUMBER: _ClassVar[int]
    KEYWORD_SCORE_FIELD_NUMBER: _ClassVar[int]
    VECTOR_RANK_FIELD_NUMBER: _ClassVar[int]
    KEYWORD_RANK_FIELD_NUMBER: _ClassVar[int]
    BOXES_FIELD_NUMBER: _ClassVar[int]
    RERANK_SCORE_FIELD_NUMBER: _ClassVar[int]
    chunk_id: str
    document_id: str
    document_name: str
    page: int
    span_start: int
    span_end: int
    text: str
    score: float
    vector_score: float
    keyword_score: float
    vector_rank: int
    keyword_rank: int
    boxes: _containers.RepeatedCompositeFieldContainer[Box]
    rerank_score: float
    def __init__(self, chunk_id: _Optional[str] = ..., document_id: _Optional[str] = ..., document_name: _Optional[str] = ..., page: _Optional[int] = ..., span_start: _Optional[int] = ..., span_end: _Optional[int] = ..., text: _Optional[str] = ..., score: _Optional[float] = ..., vector_score: _Optional[float] = ..., keyword_score: _Optional[float] = ..., vector_rank: _Optional[int] = ..., keyword_rank: _Optional[int] = ..., boxes: _Optional[_Iterable[_Union[Box, _Mapping]]] = ..., rerank_score: _Optional[float] = ...) -> None: ...

class UploadDocumentRequest(_message.Message):
    __slots__ = ("metadata", "chunk")
    METADATA_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    metadata: UploadDocumentMetadata
    chunk: bytes
    def __init__(self, metadata: _Optional[_Union[UploadDocumentMetadata, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class UploadDocumentMetadata(_message.Message):
    __slots__ = ("name", "size", "sha256", "tags", "date")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    DATE_FIELD_NUMBER: _ClassVar[int]
    name: str
    size: int
    sha256: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    date: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., size: _Optional[int] = ..., sha256: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., date: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class UploadDocumentResponse(_message.Message):
    __slots__ = ("document", "job")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    document: Document
    job: _jobs_pb2.Job
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ..., job: _Optional[_Union[_jobs_pb2.Job, _Mapping]] = ...) -> None: ...

class GetDocumentRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetDocumentResponse(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: Document
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ...) -> None: ...

class ListDocumentsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "state", "tag")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    state: DocumentState
    tag: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., state: _Optional[_Union[DocumentState, str]] = ..., tag: _Optional[str] = ...) -> None: ...

class ListDocumentsResponse(_message.Message):
    __slots__ = ("documents", "next_page_token")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[Document]
    next_page_token: str
    def __init__(self, documents: _Optional[_Iterable[_Union[Document, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateDocumentRequest(_message.Message):
    __slots__ = ("id", "tags", "date")
    ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    DATE_FIELD_NUMBER: _ClassVar[int]
    id: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    date: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., date: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class UpdateDocumentResponse(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: Document
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ...) -> None: ...

class ListPagesRequest(_message.Message):
    __slots__ = ("document_id", "page_size", "page_token")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    page_size: int
    page_token: str
    def __init__(self, document_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPagesResponse(_message.Message):
    __slots__ = ("pages", "next_page_token")
    PAGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    pages: _containers.RepeatedCompositeFieldContainer[Page]
    next_page_token: str
    def __init__(self, pages: _Optional[_Iterable[_Union[Page, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RenderPageRequest(_message.Message):
    __slots__ = ("document_id", "page", "span_start", "span_end", "width")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    SPAN_START_FIELD_NUMBER: _ClassVar[int]
    SPAN_END_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    page: int
    span_start: int
    span_end: int
    width: int
    def __init__(self, document_id: _Optional[str] = ..., page: _Optional[int] = ..., span_start: _Optional[int] = ..., span_end: _Optional[int] = ..., width: _Optional[int] = ...) -> None: ...

class RenderPageResponse(_message.Message):
    __slots__ = ("image", "width", "height", "boxes")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    BOXES_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    width: int
    height: int
    boxes: _containers.RepeatedCompositeFieldContainer[Box]
    def __init__(self, image: _Optional[bytes] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., boxes: _Optional[_Iterable[_Union[Box, _Mapping]]] = ...) -> None: ...

class DeleteDocumentRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class DeleteDocumentResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SearchRequest(_message.Message):
    __slots__ = ("query", "top_k", "document_ids", "vector_weight", "mode", "filter", "rerank")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    VECTOR_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    RERANK_FIELD_NUMBER: _ClassVar[int]
    query: str
    top_k: int
    document_ids: _containers.RepeatedScalarFieldContainer[str]
    vector_weight: float
    mode: SearchMode
    filter: SearchFilter
    rerank: bool
    def __init__(self, query: _Optional[str] = ..., top_k: _Optional[int] = ..., document_ids: _Optional[_Iterable[str]] = ..., vector_weight: _Optional[float] = ..., mode: _Optional[_Union[SearchMode, str]] = ..., filter: _Optional[_Union[SearchFilter, _Mapping]] = ..., rerank: bool = ...) -> None: ...

class SearchFilter(_message.Message):
    __slots__ = ("tags", "date_from", "date_until", "first_page", "last_page")
    TAGS_FIELD_NUMBER: _ClassVar[int]
    DATE_FROM_FIELD_NUMBER: _ClassVar[int]
    DATE_UNTIL_FIELD_NUMBER: _ClassVar[int]
    FIRST_PAGE_FIELD_NUMBER: _ClassVar[int]
    LAST_PAGE_FIELD_NUMBER: _ClassVar[int]
    tags: _containers.RepeatedScalarFieldContainer[str]
    date_from: _timestamp_pb2.Timestamp
    date_until: _timestamp_pb2.Timestamp
    first_page: int
    last_page: int
    def __init__(self, tags: _Optional[_Iterable[str]] = ..., date_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., date_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., first_page: _Optional[int] = ..., last_page: _Optional[int] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("hits", "vector_weight", "notices")
    HITS_FIELD_NUMBER: _ClassVar[int]
    VECTOR_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    hits: _containers.RepeatedCompositeFieldContainer[Hit]
    vector_weight: float
    notices: _containers.RepeatedCompositeFieldContainer[Notice]
    def __init__(self, hits: _Optional[_Iterable[_Union[Hit, _Mapping]]] = ..., vector_weight: _Optional[float] = ..., notices: _Optional[_Iterable[_Union[Notice, _Mapping]]] = ...) -> None: ...

class ExportTextRequest(_message.Message):
    __slots__ = ("document_id",)
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    def __init__(self, document_id: _Optional[str] = ...) -> None: ...

class ExportTextResponse(_message.Message):
    __slots__ = ("page", "text")
    PAGE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    page: int
    text: str
    def __init__(self, page: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class ExplainTokensRequest(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class ExplainTokensResponse(_message.Message):
    __slots__ = ("tokenizer", "folded", "tokens")
    TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    FOLDED_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokenizer: str
    folded: str
    tokens: _containers.RepeatedCompositeFieldContainer[Token]
    def __init__(self, tokenizer: _Optional[str] = ..., folded: _Optional[str] = ..., tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("term", "kind", "chunk_count")
    TERM_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CHUNK_COUNT_FIELD_NUMBER: _ClassVar[int]
    term: str
    kind: TokenKind
    chunk_count: int
    def __init__(self, term: _Optional[str] = ..., kind: _Optional[_Union[TokenKind, str]] = ..., chunk_count: _Optional[int] = ...) -> None: ...

class GetIndexRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetIndexResponse(_message.Message):
    __slots__ = ("serving", "previous")
    SERVING_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    serving: Index
    previous: Index
    def __init__(self, serving: _Optional[_Union[Index, _Mapping]] = ..., previous: _Optional[_Union[Index, _Mapping]] = ...) -> None: ...

class Index(_message.Message):
    __slots__ = ("name", "store", "embedder", "tokenizer", "chunking", "document_count", "chunk_count", "create_time", "fusion")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    EMBEDDER_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    CHUNKING_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    CHUNK_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FUSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    store: str
    embedder: EmbedderIdentity
    tokenizer: str
    chunking: Chunking
    document_count: int
    chunk_count: int
    create_time: _timestamp_pb2.Timestamp
    fusion: FusionMeasurement
    def __init__(self, name: _Optional[str] = ..., store: _Optional[str] = ..., embedder: _Optional[_Union[EmbedderIdentity, _Mapping]] = ..., tokenizer: _Optional[str] = ..., chunking: _Optional[_Union[Chunking, _Mapping]] = ..., document_count: _Optional[int] = ..., chunk_count: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., fusion: _Optional[_Union[FusionMeasurement, _Mapping]] = ...) -> None: ...

class EmbedderIdentity(_message.Message):
    __slots__ = ("model", "digest", "dimension", "pooling", "query_prefix", "document_prefix")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    POOLING_FIELD_NUMBER: _ClassVar[int]
    QUERY_PREFIX_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_PREFIX_FIELD_NUMBER: _ClassVar[int]
    model: str
    digest: str
    dimension: int
    pooling: str
    query_prefix: str
    document_prefix: str
    def __init__(self, model: _Optional[str] = ..., digest: _Optional[str] = ..., dimension: _Optional[int] = ..., pooling: _Optional[str] = ..., query_prefix: _Optional[str] = ..., document_prefix: _Optional[str] = ...) -> None: ...

class Chunking(_message.Message):
    __slots__ = ("chunker", "characters", "sentences", "overlap", "tokens")
    CHUNKER_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    chunker: str
    characters: int
    sentences: int
    overlap: int
    tokens: int
    def __init__(self, chunker: _Optional[str] = ..., characters: _Optional[int] = ..., sentences: _Optional[int] = ..., overlap: _Optional[int] = ..., tokens: _Optional[int] = ...) -> None: ...

class FusionMeasurement(_message.Message):
    __slots__ = ("vector_weight", "keyword_ndcg", "vector_ndcg", "hybrid_ndcg", "question_count", "source", "curve", "measure_time", "warning")
    VECTOR_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    KEYWORD_NDCG_FIELD_NUMBER: _ClassVar[int]
    VECTOR_NDCG_FIELD_NUMBER: _ClassVar[int]
    HYBRID_NDCG_FIELD_NUMBER: _ClassVar[int]
    QUESTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CURVE_FIELD_NUMBER: _ClassVar[int]
    MEASURE_TIME_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    vector_weight: float
    keyword_ndcg: float
    vector_ndcg: float
    hybrid_ndcg: float
    question_count: int
    source: ProbeSource
    curve: _containers.RepeatedCompositeFieldContainer[WeightScore]
    measure_time: _timestamp_pb2.Timestamp
    warning: Notice
    def __init__(self, vector_weight: _Optional[float] = ..., keyword_ndcg: _Optional[float] = ..., vector_ndcg: _Optional[float] = ..., hybrid_ndcg: _Optional[float] = ..., question_count: _Optional[int] = ..., source: _Optional[_Union[ProbeSource, str]] = ..., curve: _Optional[_Iterable[_Union[WeightScore, _Mapping]]] = ..., measure_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., warning: _Optional[_Union[Notice, _Mapping]] = ...) -> None: ...

class WeightScore(_message.Message):
    __slots__ = ("vector_weight", "ndcg")
    VECTOR_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    NDCG_FIELD_NUMBER: _ClassVar[int]
    vector_weight: float
    ndcg: float
    def __init__(self, vector_weight: _Optional[float] = ..., ndcg: _Optional[float] = ...) -> None: ...

class ProbeQuestion(_message.Message):
    __slots__ = ("question", "document_id", "page")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    question: str
    document_id: str
    page: int
    def __init__(self, question: _Optional[str] = ..., document_id: _Optional[str] = ..., page: _Optional[int] = ...) -> None: ...

class StartReindexRequest(_message.Message):
    __slots__ = ("embedder", "request_id", "questions")
    EMBEDDER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    embedder: str
    request_id: str
    questions: _containers.RepeatedCompositeFieldContainer[ProbeQuestion]
    def __init__(self, embedder: _Optional[str] = ..., request_id: _Optional[str] = ..., questions: _Optional[_Iterable[_Union[ProbeQuestion, _Mapping]]] = ...) -> None: ...

class StartReindexResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _jobs_pb2.Job
    def __init__(self, job: _Optional[_Union[_jobs_pb2.Job, _Mapping]] = ...) -> None: ...

class StartIndexRollbackRequest(_message.Message):
    __slots__ = ("request_id",)
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    def __init__(self, request_id: _Optional[str] = ...) -> None: ...

class StartIndexRollbackResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _jobs_pb2.Job
    def __init__(self, job: _Optional[_Union[_jobs_pb2.Job, _Mapping]] = ...) -> None: ...

class StartFusionMeasurementRequest(_message.Message):
    __slots__ = ("questions", "generate", "request_id")
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    GENERATE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    questions: _containers.RepeatedCompositeFieldContainer[ProbeQuestion]
    generate: bool
    request_id: str
    def __init__(self, questions: _Optional[_Iterable[_Union[ProbeQuestion, _Mapping]]] = ..., generate: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class StartFusionMeasurementResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _jobs_pb2.Job
    def __init__(self, job: _Optional[_Union[_jobs_pb2.Job, _Mapping]] = ...) -> None: ...
