import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from lorag.jobs.v1 import jobs_pb2 as _jobs_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Dataset(_message.Message):
    __slots__ = ("id", "name", "size", "example_count", "format", "create_time", "file_type", "refused_count", "refused", "duplicate_count")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FILE_TYPE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    size: int
    example_count: int
    format: str
    create_time: _timestamp_pb2.Timestamp
    file_type: str
    refused_count: int
    refused: _containers.RepeatedCompositeFieldContainer[RefusedLine]
    duplicate_count: int
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., size: _Optional[int] = ..., example_count: _Optional[int] = ..., format: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., file_type: _Optional[str] = ..., refused_count: _Optional[int] = ..., refused: _Optional[_Iterable[_Union[RefusedLine, _Mapping]]] = ..., duplicate_count: _Optional[int] = ...) -> None: ...

class RefusedLine(_message.Message):
    __slots__ = ("line", "problem")
    LINE_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    line: int
    problem: str
    def __init__(self, line: _Optional[int] = ..., problem: _Optional[str] = ...) -> None: ...

class Adapter(_message.Message):
    __slots__ = ("uri", "base_model", "dataset_id", "create_time", "settings", "steps", "final_loss", "heldout_loss", "dataset_name", "size", "duration_seconds", "notes")
    URI_FIELD_NUMBER: _ClassVar[int]
    BASE_MODEL_FIELD_NUMBER: _ClassVar[int]
    DATASET_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    FINAL_LOSS_FIELD_NUMBER: _ClassVar[int]
    HELDOUT_LOSS_FIELD_NUMBER: _ClassVar[int]
    DATASET_NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    DURATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    uri: str
    base_model: str
    dataset_id: str
    create_time: _timestamp_pb2.Timestamp
    settings: TrainingSettings
    steps: int
    final_loss: float
    heldout_loss: float
    dataset_name: str
    size: int
    duration_seconds: float
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, uri: _Optional[str] = ..., base_model: _Optional[str] = ..., dataset_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., settings: _Optional[_Union[TrainingSettings, _Mapping]] = ..., steps: _Optional[int] = ..., final_loss: _Optional[float] = ..., heldout_loss: _Optional[float] = ..., dataset_name: _Optional[str] = ..., size: _Optional[int] = ..., duration_seconds: _Optional[float] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class TrainingSettings(_message.Message):
    __slots__ = ("use_qlora", "qlora_4bit", "r", "lora_alpha", "lora_dropout", "epochs", "max_steps", "batch_size", "gradient_accumulation", "learning_rate", "warmup_steps", "scheduler", "max_length", "checkpoint_steps", "heldout_fraction", "gradient_checkpointing", "seed", "use_rslora", "use_dora", "neftune_alpha", "target_modules", "packing", "learn", "too_long", "skip_refused", "early_stopping_patience", "optimizer", "weight_decay", "max_grad_norm", "strategy")
    USE_QLORA_FIELD_NUMBER: _ClassVar[int]
    QLORA_4BIT_FIELD_NUMBER: _ClassVar[int]
    R_FIELD_NUMBER: _ClassVar[int]
    LORA_ALPHA_FIELD_NUMBER: _ClassVar[int]
    LORA_DROPOUT_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    MAX_STEPS_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    GRADIENT_ACCUMULATION_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    WARMUP_STEPS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULER_FIELD_NUMBER: _ClassVar[int]
    MAX_LENGTH_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_STEPS_FIELD_NUMBER: _ClassVar[int]
    HELDOUT_FRACTION_FIELD_NUMBER: _ClassVar[int]
    GRADIENT_CHECKPOINTING_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    USE_RSLORA_FIELD_NUMBER: _ClassVar[int]
    USE_DORA_FIELD_NUMBER: _ClassVar[int]
    NEFTUNE_ALPHA_FIELD_NUMBER: _ClassVar[int]
    TARGET_MODULES_FIELD_NUMBER: _ClassVar[int]
    PACKING_FIELD_NUMBER: _ClassVar[int]
    LEARN_FIELD_NUMBER: _ClassVar[int]
    TOO_LONG_FIELD_NUMBER: _ClassVar[int]
    SKIP_REFUSED_FIELD_NUMBER: _ClassVar[int]
    EARLY_STOPPING_PATIENCE_FIELD_NUMBER: _ClassVar[int]
    OPTIMIZER_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: _ClassVar[int]
    MAX_GRAD_NORM_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    use_qlora: bool
    qlora_4bit: bool
    r: int
    lora_alpha: int
    lora_dropout: float
    epochs: float
    max_steps: int
    batch_size: int
    gradient_accumulation: int
    learning_rate: float
    warmup_steps: int
    scheduler: str
    max_length: int
    checkpoint_steps: int
    heldout_fraction: float
    gradient_checkpointing: bool
    seed: int
    use_rslora: bool
    use_dora: bool
    neftune_alpha: float
    target_modules: str
    packing: bool
    learn: str
    too_long: str
    skip_refused: bool
    early_stopping_patience: int
    optimizer: str
    weight_decay: float
    max_grad_norm: float
    strategy: str
    def __init__(self, use_qlora: bool = ..., qlora_4bit: bool = ..., r: _Optional[int] = ..., lora_alpha: _Optional[int] = ..., lora_dropout: _Optional[float] = ..., epochs: _Optional[float] = ..., max_steps: _Optional[int] = ..., batch_size: _Optional[int] = ..., gradient_accumulation: _Optional[int] = ..., learning_rate: _Optional[float] = ..., warmup_steps: _Optional[int] = ..., scheduler: _Optional[str] = ..., max_length: _Optional[int] = ..., checkpoint_steps: _Optional[int] = ..., heldout_fraction: _Optional[float] = ..., gradient_checkpointing: bool = ..., seed: _Optional[int] = ..., use_rslora: bool = ..., use_dora: bool = ..., neftune_alpha: _Optional[float] = ..., target_modules: _Optional[str] = ..., packing: bool = ..., learn: _Optional[str] = ..., too_long: _Optional[str] = ..., skip_refused: bool = ..., early_stopping_patience: _Optional[int] = ..., optimizer: _Optional[str] = ..., weight_decay: _Optional[float] = ..., max_grad_norm: _Optional[float] = ..., strategy: _Optional[str] = ...) -> None: ...

class UploadDatasetRequest(_message.Message):
    __slots__ = ("metadata", "chunk")
    METADATA_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    metadata: UploadDatasetMetadata
    chunk: bytes
    def __init__(self, metadata: _Optional[_Union[UploadDatasetMetadata, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class UploadDatasetMetadata(_message.Message):
    __slots__ = ("name", "size", "sha256")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    size: int
    sha256: str
    def __init__(self, name: _Optional[str] = ..., size: _Optional[int] = ..., sha256: _Optional[str] = ...) -> None: ...

class UploadDatasetResponse(_message.Message):
    __slots__ = ("dataset",)
    DATASET_FIELD_NUMBER: _ClassVar[int]
    dataset: Dataset
    def __init__(self, dataset: _Optional[_Union[Dataset, _Mapping]] = ...) -> None: ...

class ListDatasetsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDatasetsResponse(_message.Message):
    __slots__ = ("datasets", "next_page_token")
    DATASETS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    datasets: _containers.RepeatedCompositeFieldContainer[Dataset]
    next_page_token: str
    def __init__(self, datasets: _Optional[_Iterable[_Union[Dataset, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetDatasetRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetDatasetResponse(_message.Message):
    __slots__ = ("dataset",)
    DATASET_FIELD_NUMBER: _ClassVar[int]
    dataset: Dataset
    def __init__(self, dataset: _Optional[_Union[Dataset, _Mapping]] = ...) -> None: ...

class DeleteDatasetRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class DeleteDatasetResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PreviewTrainingRequest(_message.Message):
    __slots__ = ("base_model", "dataset_id", "settings", "example_count")
    BASE_MODEL_FIELD_NUMBER: _ClassVar[int]
    DATASET_ID_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    base_model: str
    dataset_id: str
    settings: TrainingSettings
    example_count: int
    def __init__(self, base_model: _Optional[str] = ..., dataset_id: _Optional[str] = ..., settings: _Optional[_Union[TrainingSettings, _Mapping]] = ..., example_count: _Optional[int] = ...) -> None: ...

class PreviewTrainingResponse(_message.Message):
    __slots__ = ("examples", "sequence_count", "token_count", "learned_token_count", "too_long_share", "learned_answer_share", "lengths", "longest", "packed_count", "template", "reasoning_count")
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    LEARNED_TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    TOO_LONG_SHARE_FIELD_NUMBER: _ClassVar[int]
    LEARNED_ANSWER_SHARE_FIELD_NUMBER: _ClassVar[int]
    LENGTHS_FIELD_NUMBER: _ClassVar[int]
    LONGEST_FIELD_NUMBER: _ClassVar[int]
    PACKED_COUNT_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    REASONING_COUNT_FIELD_NUMBER: _ClassVar[int]
    examples: _containers.RepeatedCompositeFieldContainer[PreviewedExample]
    sequence_count: int
    token_count: int
    learned_token_count: int
    too_long_share: float
    learned_answer_share: float
    lengths: _containers.RepeatedCompositeFieldContainer[LengthBucket]
    longest: int
    packed_count: int
    template: str
    reasoning_count: int
    def __init__(self, examples: _Optional[_Iterable[_Union[PreviewedExample, _Mapping]]] = ..., sequence_count: _Optional[int] = ..., token_count: _Optional[int] = ..., learned_token_count: _Optional[int] = ..., too_long_share: _Optional[float] = ..., learned_answer_share: _Optional[float] = ..., lengths: _Optional[_Iterable[_Union[LengthBucket, _Mapping]]] = ..., longest: _Optional[int] = ..., packed_count: _Optional[int] = ..., template: _Optional[str] = ..., reasoning_count: _Optional[int] = ...) -> None: ...

class PreviewedExample(_message.Message):
    __slots__ = ("line", "tokens")
    LINE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    line: int
    tokens: _containers.RepeatedCompositeFieldContainer[PreviewedToken]
    def __init__(self, line: _Optional[int] = ..., tokens: _Optional[_Iterable[_Union[PreviewedToken, _Mapping]]] = ...) -> None: ...

class PreviewedToken(_message.Message):
    __slots__ = ("id", "text", "learned")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LEARNED_FIELD_NUMBER: _ClassVar[int]
    id: int
    text: str
    learned: bool
    def __init__(self, id: _Optional[int] = ..., text: _Optional[str] = ..., learned: bool = ...) -> None: ...

class LengthBucket(_message.Message):
    __slots__ = ("to", "count")
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    to: int
    count: int
    def __init__(self, to: _Optional[int] = ..., count: _Optional[int] = ..., **kwargs) -> None: ...

class EstimateTrainingRequest(_message.Message):
    __slots__ = ("base_model", "dataset_id", "settings", "gpu_bytes")
    BASE_MODEL_FIELD_NUMBER: _ClassVar[int]
    DATASET_ID_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    GPU_BYTES_FIELD_NUMBER: _ClassVar[int]
    base_model: str
    dataset_id: str
    settings: TrainingSettings
    gpu_bytes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, base_model: _Optional[str] = ..., dataset_id: _Optional[str] = ..., settings: _Optional[_Union[TrainingSettings, _Mapping]] = ..., gpu_bytes: _Optional[_Iterable[int]] = ...) -> None: ...

class EstimateTrainingResponse(_message.Message):
    __slots__ = ("device", "vram_bytes", "ram_bytes", "disk_bytes", "steps", "fits", "advice", "strategy", "gpu_count", "parts", "seconds", "adapter_parameters")
    class PartsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    VRAM_BYTES_FIELD_NUMBER: _ClassVar[int]
    RAM_BYTES_FIELD_NUMBER: _ClassVar[int]
    DISK_BYTES_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    FITS_FIELD_NUMBER: _ClassVar[int]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    GPU_COUNT_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    device: str
    vram_bytes: int
    ram_bytes: int
    disk_bytes: int
    steps: int
    fits: bool
    advice: _containers.RepeatedScalarFieldContainer[str]
    strategy: str
    gpu_count: int
    parts: _containers.ScalarMap[str, int]
    seconds: float
    adapter_parameters: int
    def __init__(self, device: _Optional[str] = ..., vram_bytes: _Optional[int] = ..., ram_bytes: _Optional[int] = ..., disk_bytes: _Optional[int] = ..., steps: _Optional[int] = ..., fits: bool = ..., advice: _Optional[_Iterable[str]] = ..., strategy: _Optional[str] = ..., gpu_count: _Optional[int] = ..., parts: _Optional[_Mapping[str, int]] = ..., seconds: _Optional[float] = ..., adapter_parameters: _Optional[int] = ...) -> None: ...

class StartTrainingRequest(_message.Message):
    __slots__ = ("base_model", "dataset_id", "settings", "request_id")
    BASE_MODEL_FIELD_NUMBER: _ClassVar[int]
    DATASET_ID_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    base_model: str
    dataset_id: str
    settings: TrainingSettings
    request_id: str
    def __init__(self, base_model: _Optional[str] = ..., dataset_id: _Optional[str] = ..., settings: _Optional[_Union[TrainingSettings, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class StartTrainingResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _jobs_pb2.Job
    def __init__(self, job: _Optional[_Union[_jobs_pb2.Job, _Mapping]] = ...) -> None: ...

class ListAdaptersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAdaptersResponse(_message.Message):
    __slots__ = ("adapters", "next_page_token")
    ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    adapters: _containers.RepeatedCompositeFieldContainer[Adapter]
    next_page_token: str
    def __init__(self, adapters: _Optional[_Iterable[_Union[Adapter, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetAdapterRequest(_message.Message):
    __slots__ = ("uri",)
    URI_FIELD_NUMBER: _ClassVar[int]
    uri: str
    def __init__(self, uri: _Optional[str] = ...) -> None: ...

class GetAdapterResponse(_message.Message):
    __slots__ = ("adapter", "steps")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    adapter: Adapter
    steps: _containers.RepeatedCompositeFieldContainer[TrainingStep]
    def __init__(self, adapter: _Optional[_Union[Adapter, _Mapping]] = ..., steps: _Optional[_Iterable[_Union[TrainingStep, _Mapping]]] = ...) -> None: ...

class TrainingStep(_message.Message):
    __slots__ = ("step", "metrics")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    STEP_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    step: int
    metrics: _containers.ScalarMap[str, float]
    def __init__(self, step: _Optional[int] = ..., metrics: _Optional[_Mapping[str, float]] = ...) -> None: ...

class DeleteAdapterRequest(_message.Message):
    __slots__ = ("uri",)
    URI_FIELD_NUMBER: _ClassVar[int]
    uri: str
    def __init__(self, uri: _Optional[str] = ...) -> None: ...

class DeleteAdapterResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
