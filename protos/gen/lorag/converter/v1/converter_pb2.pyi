import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from lorag.jobs.v1 import jobs_pb2 as _jobs_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Release(_message.Message):
    __slots__ = ("id", "model", "version", "uri", "base_model", "adapter_uri", "quantization", "sha256", "size", "published", "create_time", "certificate_json")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    BASE_MODEL_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_URI_FIELD_NUMBER: _ClassVar[int]
    QUANTIZATION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_JSON_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    version: int
    uri: str
    base_model: str
    adapter_uri: str
    quantization: str
    sha256: str
    size: int
    published: bool
    create_time: _timestamp_pb2.Timestamp
    certificate_json: str
    def __init__(self, id: _Optional[str] = ..., model: _Optional[str] = ..., version: _Optional[int] = ..., uri: _Optional[str] = ..., base_model: _Optional[str] = ..., adapter_uri: _Optional[str] = ..., quantization: _Optional[str] = ..., sha256: _Optional[str] = ..., size: _Optional[int] = ..., published: bool = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., certificate_json: _Optional[str] = ...) -> None: ...

class ConversionSource(_message.Message):
    __slots__ = ("path", "newest", "base_only", "base_model")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    BASE_ONLY_FIELD_NUMBER: _ClassVar[int]
    BASE_MODEL_FIELD_NUMBER: _ClassVar[int]
    path: str
    newest: bool
    base_only: bool
    base_model: str
    def __init__(self, path: _Optional[str] = ..., newest: bool = ..., base_only: bool = ..., base_model: _Optional[str] = ...) -> None: ...

class EstimateConversionRequest(_message.Message):
    __slots__ = ("source", "quantization", "gpu_memory_bytes", "context_tokens", "parallel_requests")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    QUANTIZATION_FIELD_NUMBER: _ClassVar[int]
    GPU_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PARALLEL_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    source: ConversionSource
    quantization: str
    gpu_memory_bytes: _containers.RepeatedScalarFieldContainer[int]
    context_tokens: int
    parallel_requests: int
    def __init__(self, source: _Optional[_Union[ConversionSource, _Mapping]] = ..., quantization: _Optional[str] = ..., gpu_memory_bytes: _Optional[_Iterable[int]] = ..., context_tokens: _Optional[int] = ..., parallel_requests: _Optional[int] = ...) -> None: ...

class QuantizationFit(_message.Message):
    __slots__ = ("quantization", "weight_bytes", "total_bytes", "fits", "expected_kl")
    QUANTIZATION_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_BYTES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    FITS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_KL_FIELD_NUMBER: _ClassVar[int]
    quantization: str
    weight_bytes: int
    total_bytes: int
    fits: bool
    expected_kl: float
    def __init__(self, quantization: _Optional[str] = ..., weight_bytes: _Optional[int] = ..., total_bytes: _Optional[int] = ..., fits: bool = ..., expected_kl: _Optional[float] = ...) -> None: ...

class EstimateConversionResponse(_message.Message):
    __slots__ = ("ram_bytes", "disk_bytes", "publish_disk_bytes", "seconds", "fits", "advice", "kv_cache_bytes", "options", "recommended_quantization")
    RAM_BYTES_FIELD_NUMBER: _ClassVar[int]
    DISK_BYTES_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_DISK_BYTES_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    FITS_FIELD_NUMBER: _ClassVar[int]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    KV_CACHE_BYTES_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDED_QUANTIZATION_FIELD_NUMBER: _ClassVar[int]
    ram_bytes: int
    disk_bytes: int
    publish_disk_bytes: int
    seconds: float
    fits: bool
    advice: _containers.RepeatedScalarFieldContainer[str]
    kv_cache_bytes: int
    options: _containers.RepeatedCompositeFieldContainer[QuantizationFit]
    recommended_quantization: str
    def __init__(self, ram_bytes: _Optional[int] = ..., disk_bytes: _Optional[int] = ..., publish_disk_bytes: _Optional[int] = ..., seconds: _Optional[float] = ..., fits: bool = ..., advice: _Optional[_Iterable[str]] = ..., kv_cache_bytes: _Optional[int] = ..., options: _Optional[_Iterable[_Union[QuantizationFit, _Mapping]]] = ..., recommended_quantization: _Optional[str] = ...) -> None: ...

class StartConversionRequest(_message.Message):
    __slots__ = ("source", "quantization", "model", "request_id")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    QUANTIZATION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    source: ConversionSource
    quantization: str
    model: str
    request_id: str
    def __init__(self, source: _Optional[_Union[ConversionSource, _Mapping]] = ..., quantization: _Optional[str] = ..., model: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class StartConversionResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _jobs_pb2.Job
    def __init__(self, job: _Optional[_Union[_jobs_pb2.Job, _Mapping]] = ...) -> None: ...

class StartPublicationRequest(_message.Message):
    __slots__ = ("release_id", "request_id", "system", "license")
    RELEASE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    LICENSE_FIELD_NUMBER: _ClassVar[int]
    release_id: str
    request_id: str
    system: str
    license: str
    def __init__(self, release_id: _Optional[str] = ..., request_id: _Optional[str] = ..., system: _Optional[str] = ..., license: _Optional[str] = ...) -> None: ...

class StartPublicationResponse(_message.Message):
    __slots__ = ("job", "disk_bytes", "fits")
    JOB_FIELD_NUMBER: _ClassVar[int]
    DISK_BYTES_FIELD_NUMBER: _ClassVar[int]
    FITS_FIELD_NUMBER: _ClassVar[int]
    job: _jobs_pb2.Job
    disk_bytes: int
    fits: bool
    def __init__(self, job: _Optional[_Union[_jobs_pb2.Job, _Mapping]] = ..., disk_bytes: _Optional[int] = ..., fits: bool = ...) -> None: ...

class GetReleaseRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetReleaseResponse(_message.Message):
    __slots__ = ("release",)
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    release: Release
    def __init__(self, release: _Optional[_Union[Release, _Mapping]] = ...) -> None: ...

class ListReleasesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "model")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    model: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class ListReleasesResponse(_message.Message):
    __slots__ = ("releases", "next_page_token")
    RELEASES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    releases: _containers.RepeatedCompositeFieldContainer[Release]
    next_page_token: str
    def __init__(self, releases: _Optional[_Iterable[_Union[Release, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
