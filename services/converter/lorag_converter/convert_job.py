"""Child of a conversion: source -> GGUF -> release folder, renamed into place when everything in it is complete."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("MALLOC_ARENA_MAX", "2")

import torch
import transformers

from lorag_common.artifacts import Artifact, sha256_file, uri_of, write_atomic, write_json
from lorag_common.child import ChildJob, JobInterrupted
from lorag_common.resolve import resolve_base_model
from lorag_common.settings import ServiceSettings
from lorag_converter import certify, parity, releases, vendor
from lorag_converter.export import TOKENIZER_FILES, export
from lorag_converter.sources import Source
from lorag_converter.writer import Stopped

TEMPERATURE = 0.7
EXPORT_REPORT = "export.json"


def main(job: ChildJob) -> dict[str, Any]:
    """See `ConverterService.StartConversion`."""
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    spec = job.spec
    settings = ServiceSettings(data=job.data)
    job.report("resolving", 0, 0)
    base = resolve_base_model(spec["base_model"], settings, download=True)
    source = Source(spec["base_model"], Path(spec["adapter"]) if spec["adapter"] else None)
    has_tokenizer = source.adapter is not None and (source.adapter / "tokenizer.json").exists()
    tokenizer = source.adapter if has_tokenizer and source.adapter else base
    version, staging = _staging(job)
    gguf = staging / "model.gguf"
    started = time.monotonic()
    if not gguf.exists():
        _convert(job, base, source, tokenizer, gguf)
    job.report("parity", 0, 1)
    checked = parity.check(gguf, tokenizer)
    measured = certify.fidelity_report(
        gguf,
        spec["quantization"],
        base,
        source.adapter,
        tokenizer,
        lambda done, total: job.report("measuring", done, total),
    )
    for path in tokenizer.iterdir():
        if path.name.startswith(TOKENIZER_FILES):
            shutil.copyfile(path, staging / path.name)
    stop = parity.stop_tokens(tokenizer, base)
    write_atomic(staging / "Modelfile", releases.modelfile(stop, TEMPERATURE))
    final = job.data / "releases" / spec["model"] / f"v{version}"
    digest = sha256_file(gguf)
    certificate = {
        "id": f"{spec['model']}:v{version}",
        "model": spec["model"],
        "version": version,
        "uri": f"releases/{spec['model']}/v{version}",
        "create_time": releases.now(),
        "base_model": source.base,
        "base_config_sha256": sha256_file(base / "config.json"),
        "adapter": _describe_adapter(job.data, source),
        "training": source.training,
        "quantization": spec["quantization"],
        "gguf": {"sha256": digest, "size": gguf.stat().st_size},
        "llama_cpp_python": vendor.VERSION,
        "prompt": {"stop": stop, "parameters": {"temperature": TEMPERATURE, "stop": stop}},
        "parity": checked,
        "fidelity": measured,
        "export": _export_report(job),
        "seconds": round(time.monotonic() - started, 1),
        "published": None,
    }
    write_json(staging / releases.CERTIFICATE, certificate)
    os.rename(staging, final)
    return {
        "artifacts": [
            Artifact.of(job.data, final / "model.gguf", digest).as_dict(),
            Artifact.of(job.data, final / releases.CERTIFICATE).as_dict(),
        ],
        "release_id": certificate["id"],
    }


def _staging(job: ChildJob) -> tuple[int, Path]:
    """The version and the hidden folder it is made in; the same after a restart."""
    memory = job.folder / "version"
    models = job.data / "releases" / job.spec["model"]
    if memory.exists():
        version = int(memory.read_text())
    else:
        version = releases.next_version(job.data, job.spec["model"])
        write_atomic(memory, str(version))
    staging = models / f".v{version}.{job.id}"
    if (models / f"v{version}").exists() and not staging.exists():
        # Renamed already, and killed before the result was noted.
        os.rename(models / f"v{version}", staging)
    staging.mkdir(parents=True, exist_ok=True)
    return version, staging


def _convert(job: ChildJob, base: Path, source: Source, tokenizer: Path, gguf: Path) -> None:
    started = time.monotonic()
    at_start: list[int] = []

    def progress(done: int, total: int) -> None:
        at_start.append(done)
        rate = (done - at_start[0]) / max(time.monotonic() - started, 1e-3)
        eta = (total - done) / rate if rate else 0.0
        job.report("converting", done, total, bytes_per_second=rate, eta_seconds=eta)

    try:
        report = export(
            base,
            source.adapter,
            gguf,
            quantization=job.spec["quantization"],
            tokenizer=tokenizer,
            name=base.name,
            progress=progress,
            should_stop=job.stop_requested,
        )
        write_json(job.folder / EXPORT_REPORT, report)
    except Stopped:
        raise JobInterrupted from None


def _export_report(job: ChildJob) -> dict[str, Any] | None:
    """What quantized, how many rows were checked, and why the native kernel was given up, if it was."""
    path = job.folder / EXPORT_REPORT
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _describe_adapter(data: Path, source: Source) -> dict[str, Any] | None:
    if source.adapter is None:
        return None
    weights = source.adapter / "adapter_model.safetensors"
    inside = source.adapter.resolve().is_relative_to(data.resolve())
    config = json.loads((source.adapter / "adapter_config.json").read_text(encoding="utf-8"))
    return {
        "uri": uri_of(data, source.adapter) if inside else str(source.adapter),
        "sha256": sha256_file(weights),
        "r": config.get("r"),
        "lora_alpha": config.get("lora_alpha"),
    }
