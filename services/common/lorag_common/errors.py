"""The one error table.

Code that fails raises `LoragError` with a `Reason`. The table says which canonical code that reason has and what a
person can do about it; the gRPC interceptor, the jobs and the gateway's HTTP all read this table and no other.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Code(StrEnum):
    """Canonical status codes, by their gRPC names."""

    CANCELLED = "CANCELLED"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    NOT_FOUND = "NOT_FOUND"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    ABORTED = "ABORTED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"


HTTP_STATUS: dict[Code, int] = {
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.PERMISSION_DENIED: 403,
    Code.UNAUTHENTICATED: 401,
    Code.FAILED_PRECONDITION: 409,
    Code.RESOURCE_EXHAUSTED: 507,
    Code.ABORTED: 409,
    Code.UNAVAILABLE: 503,
    Code.INTERNAL: 500,
}


class Reason(StrEnum):
    """Stable identifiers of causes. Clients may rely on them; never rename one."""

    INVALID_FIELD = "INVALID_FIELD"
    DATASET_EMPTY = "DATASET_EMPTY"
    DATASET_MALFORMED = "DATASET_MALFORMED"
    DATASET_NOT_FOUND = "DATASET_NOT_FOUND"
    EXAMPLE_TOO_LONG = "EXAMPLE_TOO_LONG"
    BASE_MODEL_NOT_FOUND = "BASE_MODEL_NOT_FOUND"
    BASE_MODEL_QUANTIZED = "BASE_MODEL_QUANTIZED"
    BASE_MODEL_UNREADABLE = "BASE_MODEL_UNREADABLE"
    ADAPTER_NOT_FOUND = "ADAPTER_NOT_FOUND"
    ADAPTER_MISMATCH = "ADAPTER_MISMATCH"
    ARCHITECTURE_UNSUPPORTED = "ARCHITECTURE_UNSUPPORTED"
    QUANTIZATION_UNKNOWN = "QUANTIZATION_UNKNOWN"
    WEIGHT_INVALID = "WEIGHT_INVALID"
    TOKENIZER_MISMATCH = "TOKENIZER_MISMATCH"
    NOT_A_PDF = "NOT_A_PDF"
    PDF_DAMAGED = "PDF_DAMAGED"
    PDF_ENCRYPTED = "PDF_ENCRYPTED"
    PDF_WITHOUT_TEXT = "PDF_WITHOUT_TEXT"
    DOCUMENT_EMPTY = "DOCUMENT_EMPTY"
    DOCUMENT_TOO_COMPLEX = "DOCUMENT_TOO_COMPLEX"
    TOO_MANY_PAGES = "TOO_MANY_PAGES"
    TEXT_UNREADABLE = "TEXT_UNREADABLE"
    PAGE_NOT_DRAWABLE = "PAGE_NOT_DRAWABLE"
    DOCUMENT_NOT_FOUND = "DOCUMENT_NOT_FOUND"
    UPLOAD_CORRUPT = "UPLOAD_CORRUPT"
    UPLOAD_TOO_LARGE = "UPLOAD_TOO_LARGE"
    INDEX_EMPTY = "INDEX_EMPTY"
    NO_PREVIOUS_INDEX = "NO_PREVIOUS_INDEX"
    INDEX_INCOMPLETE = "INDEX_INCOMPLETE"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    RERANKER_MISSING = "RERANKER_MISSING"
    EMBEDDER_MISSING = "EMBEDDER_MISSING"
    EMBEDDER_CHANGED = "EMBEDDER_CHANGED"
    MODEL_SERVER_UNAVAILABLE = "MODEL_SERVER_UNAVAILABLE"
    MODEL_SERVER_FAILED = "MODEL_SERVER_FAILED"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    RELEASE_NOT_FOUND = "RELEASE_NOT_FOUND"
    NO_ACTIVE_RELEASE = "NO_ACTIVE_RELEASE"
    NO_PREVIOUS_RELEASE = "NO_PREVIOUS_RELEASE"
    CONTEXT_OVERFLOW = "CONTEXT_OVERFLOW"
    PROMPT_UNSAFE = "PROMPT_UNSAFE"
    TOO_MANY_QUESTIONS = "TOO_MANY_QUESTIONS"
    GPU_BUSY = "GPU_BUSY"
    PARITY_FAILED = "PARITY_FAILED"
    RELEASE_WORSE = "RELEASE_WORSE"
    EVALUATION_NOT_FOUND = "EVALUATION_NOT_FOUND"
    ANSWER_NOT_FOUND = "ANSWER_NOT_FOUND"
    IN_USE = "IN_USE"
    JOB_NOT_FOUND = "JOB_NOT_FOUND"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    JOB_FAILED = "JOB_FAILED"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    DISK_FULL = "DISK_FULL"
    CONFIG_INVALID = "CONFIG_INVALID"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    DEADLINE = "DEADLINE"
    CANCELLED = "CANCELLED"
    TOOLS_MISSING = "TOOLS_MISSING"
    DATA_IN_USE = "DATA_IN_USE"
    DATA_TOO_NEW = "DATA_TOO_NEW"
    RESTORE_UNFINISHED = "RESTORE_UNFINISHED"
    BACKUP_DAMAGED = "BACKUP_DAMAGED"
    KEY_MISSING = "KEY_MISSING"
    KEY_WRONG = "KEY_WRONG"
    KEY_NOT_FOUND = "KEY_NOT_FOUND"
    SCOPE_TOO_SMALL = "SCOPE_TOO_SMALL"
    ORIGIN_REFUSED = "ORIGIN_REFUSED"
    HOST_REFUSED = "HOST_REFUSED"
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    INTERNAL = "INTERNAL"


class Row(NamedTuple):
    """One row of the table."""

    code: Code
    remedy: str


TABLE: dict[Reason, Row] = {
    Reason.INVALID_FIELD: Row(Code.INVALID_ARGUMENT, "Correct the named field and send the request again."),
    Reason.DATASET_EMPTY: Row(Code.INVALID_ARGUMENT, "Put at least one example into the file, one JSON object a line."),
    Reason.DATASET_MALFORMED: Row(Code.INVALID_ARGUMENT, "Correct the named line of the dataset and upload it again."),
    Reason.DATASET_NOT_FOUND: Row(Code.NOT_FOUND, "Upload the dataset first; `lorag datasets` lists what is there."),
    Reason.EXAMPLE_TOO_LONG: Row(Code.INVALID_ARGUMENT, "Raise max_length, or shorten or remove the named examples."),
    Reason.BASE_MODEL_NOT_FOUND: Row(
        Code.NOT_FOUND,
        "Give a folder below LORAG_MODEL_ROOTS, or a hub name that is in the cache or can be downloaded.",
    ),
    Reason.BASE_MODEL_QUANTIZED: Row(
        Code.FAILED_PRECONDITION,
        "Give the unquantized (BF16, F16 or F32) base model; the adapter is merged onto it, then quantized.",
    ),
    Reason.BASE_MODEL_UNREADABLE: Row(
        Code.FAILED_PRECONDITION, "Download the base model again; a file of it is damaged."
    ),
    Reason.ADAPTER_NOT_FOUND: Row(Code.NOT_FOUND, "Train one first (`lorag train`), or name an adapter folder."),
    Reason.ADAPTER_MISMATCH: Row(Code.FAILED_PRECONDITION, "Give the base model that this adapter was trained on."),
    Reason.ARCHITECTURE_UNSUPPORTED: Row(Code.FAILED_PRECONDITION, "Choose a base model of a supported architecture."),
    Reason.QUANTIZATION_UNKNOWN: Row(Code.INVALID_ARGUMENT, "Choose one of the named quantization types."),
    Reason.WEIGHT_INVALID: Row(Code.FAILED_PRECONDITION, "Train or download again; the named weight is not a number."),
    Reason.TOKENIZER_MISMATCH: Row(
        Code.FAILED_PRECONDITION, "Use the tokenizer that the model was trained with; nothing was released."
    ),
    Reason.NOT_A_PDF: Row(Code.INVALID_ARGUMENT, "Upload a PDF, Markdown (.md) or plain text (.txt) file."),
    Reason.PDF_DAMAGED: Row(
        Code.INVALID_ARGUMENT, "Get the file once more, or print it to a new PDF, and upload that."
    ),
    Reason.PDF_ENCRYPTED: Row(
        Code.INVALID_ARGUMENT, "Remove the password (print it to a new PDF) and upload it again."
    ),
    Reason.PDF_WITHOUT_TEXT: Row(Code.FAILED_PRECONDITION, "Run OCR over the PDF and upload the result."),
    Reason.DOCUMENT_EMPTY: Row(Code.INVALID_ARGUMENT, "Choose a file that has something in it."),
    Reason.DOCUMENT_TOO_COMPLEX: Row(
        Code.INVALID_ARGUMENT,
        "Print the file to a new PDF and upload that, or raise LORAG_EXTRACT_MEMORY_MIB if you trust it.",
    ),
    Reason.TOO_MANY_PAGES: Row(Code.INVALID_ARGUMENT, "Split the file, or raise LORAG_MAX_DOCUMENT_PAGES."),
    Reason.TEXT_UNREADABLE: Row(Code.INVALID_ARGUMENT, "Save the file as UTF-8 and upload it again."),
    Reason.PAGE_NOT_DRAWABLE: Row(Code.FAILED_PRECONDITION, "Read the page's text instead (`lorag text`)."),
    Reason.DOCUMENT_NOT_FOUND: Row(Code.NOT_FOUND, "`lorag documents` lists what is there."),
    Reason.UPLOAD_CORRUPT: Row(Code.INVALID_ARGUMENT, "Upload the file again; what arrived is not what was announced."),
    Reason.UPLOAD_TOO_LARGE: Row(Code.INVALID_ARGUMENT, "Split the file, or raise the service's upload limit."),
    Reason.INDEX_EMPTY: Row(
        Code.FAILED_PRECONDITION, "Upload at least one PDF (`lorag index FILE.pdf`) and ask again."
    ),
    Reason.NO_PREVIOUS_INDEX: Row(
        Code.FAILED_PRECONDITION, "There is one only after a reindex; start a reindex with the embedder you want."
    ),
    Reason.INDEX_INCOMPLETE: Row(
        Code.INTERNAL,
        "The old index goes on serving; start the reindex again, and keep the job's log if it fails again.",
    ),
    Reason.STORE_UNAVAILABLE: Row(Code.UNAVAILABLE, "Start Weaviate, or unset LORAG_WEAVIATE_URL to use LanceDB."),
    Reason.RERANKER_MISSING: Row(
        Code.FAILED_PRECONDITION,
        "Install the extra (`pip install 'lorag-indexer[local]'`) and set LORAG_RERANKER to a cross-encoder's folder.",
    ),
    Reason.EMBEDDER_MISSING: Row(
        Code.FAILED_PRECONDITION, "Activate a release first, or set LORAG_EMBEDDER to a model of the model server."
    ),
    Reason.EMBEDDER_CHANGED: Row(
        Code.FAILED_PRECONDITION, "Start a reindex with the new embedder, or set the old one back."
    ),
    Reason.MODEL_SERVER_UNAVAILABLE: Row(
        Code.UNAVAILABLE, "Start it: `ollama serve`, or `lorag up` for the embedded runtime."
    ),
    Reason.MODEL_SERVER_FAILED: Row(Code.UNAVAILABLE, "Look into the model server's log and try again."),
    Reason.MODEL_NOT_FOUND: Row(Code.NOT_FOUND, "Publish the release first, or `ollama pull` the model."),
    Reason.RELEASE_NOT_FOUND: Row(Code.NOT_FOUND, "`lorag release list` shows what is there."),
    Reason.NO_ACTIVE_RELEASE: Row(
        Code.FAILED_PRECONDITION, "Activate a release first (`lorag release activate NAME:vN`)."
    ),
    Reason.NO_PREVIOUS_RELEASE: Row(Code.FAILED_PRECONDITION, "Nothing was active before; activate a release by name."),
    Reason.CONTEXT_OVERFLOW: Row(
        Code.FAILED_PRECONDITION, "Ask a shorter question, retrieve fewer passages or raise num_ctx."
    ),
    Reason.IN_USE: Row(Code.FAILED_PRECONDITION, "Cancel the named job, or wait for it to end, and try again."),
    Reason.PROMPT_UNSAFE: Row(
        Code.FAILED_PRECONDITION, "Ask without the named text, or remove the document that holds it; please report it."
    ),
    Reason.TOO_MANY_QUESTIONS: Row(
        Code.RESOURCE_EXHAUSTED, "Ask again in a moment, or raise LORAG_QUEUE_LENGTH of the qa service."
    ),
    Reason.GPU_BUSY: Row(
        Code.UNAVAILABLE, "Wait until the training has ended (`lorag jobs` shows it), or cancel it, and ask again."
    ),
    Reason.PARITY_FAILED: Row(
        Code.FAILED_PRECONDITION,
        "Correct what is named (the base's chat template, stop tokens or the server's version), convert and publish again.",
    ),
    Reason.RELEASE_WORSE: Row(
        Code.FAILED_PRECONDITION,
        "Keep the active release, or activate it all the same (`lorag release activate NAME:vN --force`).",
    ),
    Reason.EVALUATION_NOT_FOUND: Row(Code.NOT_FOUND, "Evaluate the release first (`lorag release evaluate NAME:vN`)."),
    Reason.ANSWER_NOT_FOUND: Row(
        Code.NOT_FOUND, "Ask again; an answer that nobody reads is kept for a short while only."
    ),
    Reason.JOB_NOT_FOUND: Row(Code.NOT_FOUND, "`lorag jobs` lists the jobs."),
    Reason.REQUEST_ID_REUSED: Row(Code.INVALID_ARGUMENT, "Use a new request_id for a new request."),
    Reason.JOB_FAILED: Row(Code.INTERNAL, "Read the job's log.txt in its folder, then start the job again."),
    Reason.OUT_OF_MEMORY: Row(
        Code.RESOURCE_EXHAUSTED,
        "End other programs, free the GPU's memory, lower batch_size or max_length, or allow offloading to the CPU.",
    ),
    Reason.DISK_FULL: Row(
        Code.RESOURCE_EXHAUSTED, "Free disk space in the data folder; the job goes on where it stopped."
    ),
    Reason.CONFIG_INVALID: Row(Code.INVALID_ARGUMENT, "Correct the named key of rag_config.yaml."),
    Reason.SERVICE_UNAVAILABLE: Row(Code.UNAVAILABLE, "Start the services (`lorag up`) and try again."),
    Reason.DEADLINE: Row(Code.DEADLINE_EXCEEDED, "Try again, or allow the call more time."),
    Reason.CANCELLED: Row(Code.CANCELLED, "Start it again if it was not meant."),
    Reason.TOOLS_MISSING: Row(Code.FAILED_PRECONDITION, "Run `make setup` again."),
    Reason.DATA_IN_USE: Row(
        Code.FAILED_PRECONDITION, "Stop the services first (Ctrl-C in `lorag up`, or `docker compose stop`)."
    ),
    Reason.DATA_TOO_NEW: Row(Code.FAILED_PRECONDITION, "Install the version that wrote it, or a newer one."),
    Reason.RESTORE_UNFINISHED: Row(
        Code.FAILED_PRECONDITION, "Restore the backup once more: `lorag restore BACKUP --replace`."
    ),
    Reason.BACKUP_DAMAGED: Row(Code.INVALID_ARGUMENT, "Take another backup; nothing was changed by this one."),
    Reason.KEY_MISSING: Row(
        Code.UNAUTHENTICATED,
        "Send `Authorization: Bearer KEY`; `lorag key create NAME` makes a key, on the gateway's machine.",
    ),
    Reason.KEY_WRONG: Row(
        Code.UNAUTHENTICATED, "Check the key for missing characters, or make a new one: `lorag key create NAME`."
    ),
    Reason.KEY_NOT_FOUND: Row(Code.NOT_FOUND, "`lorag key list` shows what is there."),
    Reason.SCOPE_TOO_SMALL: Row(
        Code.PERMISSION_DENIED, "Use a key of the named scope: `lorag key create NAME --scope SCOPE` makes one."
    ),
    Reason.ORIGIN_REFUSED: Row(Code.PERMISSION_DENIED, "Open LoRAG's own page and do it there."),
    Reason.HOST_REFUSED: Row(
        Code.PERMISSION_DENIED, "Use the address that LoRAG listens on, or add this name to LORAG_ALLOWED_HOSTS."
    ),
    Reason.TOO_MANY_REQUESTS: Row(Code.RESOURCE_EXHAUSTED, "Wait the seconds that Retry-After names, and try again."),
    Reason.INTERNAL: Row(Code.INTERNAL, "This is a defect of LoRAG; the service's log has the details."),
}


# Where HTTP has a more telling status than the canonical code's.
HTTP_STATUS_OF_REASON: dict[Reason, int] = {
    Reason.TOO_MANY_QUESTIONS: 429,
    Reason.UPLOAD_TOO_LARGE: 413,
    Reason.TOO_MANY_REQUESTS: 429,
    Reason.HOST_REFUSED: 421,
}


class LoragError(Exception):
    """An error with a cause that a caller can act on.

    Args:
        reason: stable cause; decides code and HTTP status through `TABLE`.
        message: what went wrong, in the caller's terms, without secrets.
        remedy: what to do about it; the table's when not given.
        field: the request field at fault, for INVALID_ARGUMENT.
    """

    def __init__(self, reason: Reason, message: str, *, remedy: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.remedy = remedy or TABLE[reason].remedy
        self.field = field

    def __reduce__(self) -> tuple[object, ...]:
        # Pickled by the job engine; the default would lose the keyword arguments.
        return _rebuild, (str(self.reason), self.message, self.remedy, self.field)

    @property
    def code(self) -> Code:
        """Canonical code of the reason."""
        return TABLE[self.reason].code

    @property
    def http_status(self) -> int:
        """HTTP status of the reason."""
        return http_status(self.reason)

    def as_dict(self) -> dict[str, str]:
        """For files and JSON: code, reason, message, remedy and, where there is one, field."""
        out = {"code": str(self.code), "reason": str(self.reason), "message": self.message, "remedy": self.remedy}
        return out | ({"field": self.field} if self.field else {})

    @classmethod
    def from_dict(cls, d: dict[str, str]) -> LoragError:
        """Inverse of `as_dict`; an unknown reason becomes INTERNAL."""
        known = d.get("reason", "") in Reason.__members__
        reason = Reason(d["reason"]) if known else Reason.INTERNAL
        return cls(reason, d.get("message", ""), remedy=d.get("remedy"), field=d.get("field"))


def _rebuild(reason: str, message: str, remedy: str | None, field: str | None) -> LoragError:
    return LoragError(Reason(reason), message, remedy=remedy, field=field)


def http_status(reason: Reason) -> int:
    """HTTP status of a reason."""
    return HTTP_STATUS_OF_REASON.get(reason) or HTTP_STATUS[TABLE[reason].code]
