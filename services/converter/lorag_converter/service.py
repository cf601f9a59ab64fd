"""What the converter does, free of gRPC: checks first, then jobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lorag_common import rag_config
from lorag_common.errors import LoragError, Reason
from lorag_common.jobs import JobRecord, Jobs
from lorag_common.model_server import ModelServer
from lorag_common.resolve import resolve_base_model
from lorag_converter import ggml, planner, publish_disk, releases, sources
from lorag_converter.checks import read_config, require_architecture, require_unquantized
from lorag_converter.estimate import Estimate, estimate, parameters
from lorag_converter.settings import ConverterSettings

DEFAULT_TYPE = "Q4_K_M"
DEFAULT_CONTEXT = 8192


class Converter:
    """Conversions, publications and releases of one data folder."""

    def __init__(self, settings: ConverterSettings, jobs: Jobs) -> None:
        self._settings, self._jobs = settings, jobs
        jobs.register("conversion", lambda ctx: ctx.child("lorag_converter.convert_job"), queue="conversion")
        jobs.register("publication", lambda ctx: ctx.child("lorag_converter.publish_job"), queue="publication")

    def estimate(
        self,
        *,
        path: str,
        base_only: bool,
        base_model: str,
        quantization: str,
        gpus: Sequence[int] = (),
        context: int = 0,
        parallel: int = 0,
    ) -> tuple[Estimate, int, list[planner.Fit]]:
        """Needs of the conversion, bytes of the KV cache, and every type on the GPUs. See the proto."""
        kind = quantization or DEFAULT_TYPE
        ggml.file_type(kind)
        if min([*gpus, context, parallel], default=0) < 0:
            raise LoragError(
                Reason.INVALID_FIELD, "GPU memory, context and requests are positive numbers.", field="context_tokens"
            )
        source = sources.resolve(self._settings, path=path, base_only=base_only, base_model=base_model)
        base = self._check_base(source.base, required=True)
        config = read_config(base)
        tokens, requests = context or DEFAULT_CONTEXT, parallel or 1
        fits = planner.plan(
            parameters(base), config, list(gpus) or planner.gpus_here(), context=tokens, parallel=requests
        )
        kv = planner.kv_bytes_per_token(config) * tokens * requests
        return estimate(base, kind, self._settings.data), kv, fits

    def start_conversion(
        self, *, model: str, quantization: str, path: str, base_only: bool, base_model: str, request_id: str
    ) -> JobRecord:
        """Check everything that can be checked in a moment, then queue. Errors: see the proto."""
        releases.require_model_name(model)
        kind = quantization or DEFAULT_TYPE
        ggml.file_type(kind)
        source = sources.resolve(self._settings, path=path, base_only=base_only, base_model=base_model)
        self._check_base(source.base, required=False)
        spec = {
            "model": model,
            "quantization": kind,
            "base_model": source.base,
            "adapter": str(source.adapter) if source.adapter else "",
        }
        return self._jobs.start("conversion", spec, request_id)

    def start_publication(
        self, release_id: str, *, system: str = "", license: str = "", request_id: str = ""
    ) -> tuple[JobRecord, int, bool]:
        """Queue an import; also the bytes that the model server needs for it, and whether it is known to have them.

        Raises:
            LoragError: RELEASE_NOT_FOUND, MODEL_SERVER_UNAVAILABLE.
        """
        certificate = releases.load(self._settings.data, release_id)
        url = rag_config.load(self._settings.data, self._settings.ollama_url).llm.ollama.base_url
        server = ModelServer(url)
        needed = publish_disk.needed(server, certificate)
        free = publish_disk.free_bytes(server, self._settings.data)
        spec = {"release_id": release_id, "default_url": self._settings.ollama_url}
        spec |= {name: text for name, text in (("system", system), ("license", license)) if text}
        return self._jobs.start("publication", spec, request_id), needed, free is None or needed <= free

    def release(self, release_id: str) -> dict[str, Any]:
        """One certificate. LoragError RELEASE_NOT_FOUND."""
        return releases.load(self._settings.data, release_id)

    def releases(self, model: str) -> list[dict[str, Any]]:
        """Certificates, newest first; of one model, or of all."""
        return releases.load_all(self._settings.data, releases.require_model_name(model) if model else "")

    def _check_base(self, name: str, *, required: bool) -> Path:
        try:
            base = resolve_base_model(name, self._settings)
        except LoragError as missing:
            # A hub model that is not downloaded yet is checked by the job, once it is.
            if required or missing.reason is not Reason.BASE_MODEL_NOT_FOUND:
                raise
            return Path()
        require_unquantized(base)
        require_architecture(base)
        return base
