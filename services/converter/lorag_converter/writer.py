"""Takes llama.cpp's F16 plan of a model and writes the quantized file, a slab at a time.

Stands in for `gguf.GGUFWriter` while llama.cpp's own `write()` runs: the mapping decides names, shapes and metadata,
and what comes out is, byte for byte, what its three-step route would have written.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf.gguf_writer import GGUFValue, TensorInfo

from lorag_common.errors import LoragError, Reason
from lorag_converter import ggml
from lorag_converter.adapter import Adapter
from lorag_converter.output import Output, remember, remembered
from lorag_converter.pipeline import Pipeline, Planned
from lorag_converter.quantizer import PLAIN, Quantizer
from lorag_converter.tensors import as_rows, reading

ALIGNMENT = 32
Types = gguf.GGMLQuantizationType


@dataclass(frozen=True)
class Job:
    """What to write, and what to tell while writing.

    Attributes:
        adapter: merged on the way.
        ftype: llama.cpp's file type.
        threads: that quantize.
        journal: names of tensors that are on disk already; the output file is then continued.
        progress: told the bytes written and the bytes in all, after every tensor.
        should_stop: asked before every tensor.
        report: filled when all is written: the kernel in use, rows held against ggml, why the kernel was given up
            (empty when it was not), threads, seconds, and the share of the threads' time that went into reading and
            waiting for the disk.
    """

    adapter: Adapter
    ftype: int
    threads: int
    journal: Path
    progress: Callable[[int, int], None]
    should_stop: Callable[[], bool]
    report: dict[str, Any] = field(default_factory=dict)


class Stopped(Exception):
    """`should_stop` said so; what is finished is in the journal."""


def stream_writer(job: Job) -> type[gguf.GGUFWriter]:
    """The class that takes `gguf.GGUFWriter`'s place for one export."""

    class StreamWriter(gguf.GGUFWriter):  # type: ignore[misc]
        def write_header_to_file(self, path: Any = None) -> None:
            self.target = Path(path)

        def write_kv_data_to_file(self) -> None:
            """Written together with the tensors, once their types are known."""

        def close(self) -> None:
            """Nothing is left open."""

        def write_tensors_to_file(self, *, progress: bool = False) -> None:
            _write(self.target, self.arch, dict(self.kv_data[0]), self.tensors[0], job)

    return StreamWriter


def _write(target: Path, arch: str, kv: dict[str, Any], infos: dict[str, Any], job: Job) -> None:
    job.adapter.require_all_placed()
    _require_vocabulary(kv, infos)
    types = _choose_types(target, arch, kv, infos, job.ftype)
    # llama_model_quantize puts these two at the end.
    for key in ("general.quantization_version", "general.file_type"):
        kv.pop(key, None)
    uint32 = gguf.GGUFValueType.UINT32
    kv["general.quantization_version"] = GGUFValue(gguf.GGML_QUANT_VERSION, uint32)
    kv["general.file_type"] = GGUFValue(job.ftype, uint32)
    plan = _plan(infos, types)
    header = {p.name: TensorInfo(_trimmed(infos[p.name].shape), p.type, p.size) for p in plan}
    head = _header_bytes(target, arch, kv, header)
    done = _resume(target, job, head)
    start = _padded(len(head))
    total = start + sum(_padded(p.size) for p in plan)
    for kind in {p.type for p in plan} - set(PLAIN):
        ggml.quantize_init(int(kind))
    quantizer = Quantizer()
    ends = {p.name: start + p.offset + _padded(p.size) for p in plan}
    began, read = time.perf_counter(), reading.seconds
    with (
        Output(target, job.journal, total, waiting=2 * job.threads) as output,
        ThreadPoolExecutor(job.threads) as pool,
    ):
        pipeline = Pipeline(pool, job.threads, output, quantizer)
        told = 0
        for planned in plan:
            if job.should_stop():
                pipeline.drain()
                raise Stopped
            if planned.name in done:
                job.progress(ends[planned.name], total)
            else:
                pipeline.write(planned, infos[planned.name].tensor, start + planned.offset)
            infos[planned.name].tensor = None
            for name in output.durable[told:]:
                told += 1
                job.progress(ends[name], total)
        pipeline.drain()
    for name in output.durable[told:]:
        job.progress(ends[name], total)
    seconds = time.perf_counter() - began
    job.report.update(
        kernel=quantizer.path,
        rows_checked=quantizer.checked,
        kernel_refused=quantizer.doubt,
        threads=job.threads,
        seconds=round(seconds, 2),
        disk_wait_share=round(min(1.0, (reading.seconds - read + output.waited) / (seconds * job.threads)), 3),
    )


def _choose_types(target: Path, arch: str, kv: dict[str, Any], infos: dict[str, Any], ftype: int) -> dict[str, Any]:
    """Type of each tensor: the mapping's own for F16, llama.cpp's choice for everything else."""
    own = {name: info.dtype for name, info in infos.items()}
    if ftype == ggml.FILE_TYPES["F16"]:
        return {n: _own_type(t) for n, t in own.items()}
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        sparse = Path(scratch) / "f16.gguf"
        head = _header_bytes(target, arch, kv, infos)
        sparse.write_bytes(head)
        os.truncate(sparse, _padded(len(head)) + sum(_padded(i.nbytes) for i in infos.values()))
        chosen = ggml.tensor_types(sparse, ftype)
    return {n: Types[chosen[n]] if n in chosen else _own_type(t) for n, t in own.items()}


def _own_type(dtype: Any) -> Any:
    return dtype if isinstance(dtype, Types) else {"float32": Types.F32, "float16": Types.F16}[np.dtype(dtype).name]


def _plan(infos: dict[str, Any], types: dict[str, Any]) -> list[Planned]:
    """The tensors in llama.cpp's order: those outside of blocks first, then block by block, by name."""
    plan, offset = [], 0
    for name in sorted(infos, key=_order):
        rows, columns = as_rows(tuple(infos[name].shape))
        row_bytes = ggml.row_size(int(types[name]), columns)
        plan.append(Planned(name, types[name], columns, row_bytes, rows * row_bytes, offset))
        offset += _padded(rows * row_bytes)
    return plan


def _order(name: str) -> tuple[int, bytes]:
    block = re.match(r"blk\.(\d+)\.", name)
    return int(block[1]) if block else -1, name.encode()


def _header_bytes(target: Path, arch: str, kv: dict[str, Any], infos: dict[str, Any]) -> bytes:
    """Everything before the tensors' data, without the padding after it."""
    writer = _plain_writer()(None, arch)
    writer.kv_data, writer.tensors = [kv], [infos]
    with tempfile.NamedTemporaryFile(dir=target.parent) as scratch:
        writer.write_header_to_file(Path(scratch.name))
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        writer.close()
        return Path(scratch.name).read_bytes()


def _plain_writer() -> type[gguf.GGUFWriter]:
    """gguf-py's own writer, also while ours stands in its place."""
    writer: type[gguf.GGUFWriter] = gguf.GGUFWriter
    return writer.__mro__[1] if writer.__name__ == "StreamWriter" else writer


def _resume(target: Path, job: Job, head: bytes) -> set[str]:
    """Tensors that an earlier run of the very same export finished; what any other run left is thrown away.

    The journal's first line says which export it belongs to: the header names every tensor, its type and place, and the
    adapter's digest tells merges of the same shape apart.
    """
    mark = hashlib.sha256(head + job.adapter.digest().encode()).hexdigest()
    lines = remembered(job.journal)
    if target.exists() and lines[:1] == [mark]:
        return set(lines[1:])
    target.write_bytes(head)
    job.journal.unlink(missing_ok=True)
    remember(job.journal, mark)
    return set()


def _require_vocabulary(kv: dict[str, Any], infos: dict[str, Any]) -> None:
    tokens = kv.get("tokenizer.ggml.tokens")
    for name in ("token_embd.weight", "output.weight"):
        if tokens is not None and name in infos and infos[name].shape[0] != len(tokens.value):
            raise LoragError(
                Reason.TOKENIZER_MISMATCH,
                f"{name} has {infos[name].shape[0]} rows, but the vocabulary {len(tokens.value)} tokens.",
            )


def _trimmed(shape: Any) -> tuple[int, ...]:
    # ggml drops outer dimensions of 1.
    trimmed = tuple(shape)
    while len(trimmed) > 1 and trimmed[0] == 1:
        trimmed = trimmed[1:]
    return trimmed


def _padded(size: int) -> int:
    return int(gguf.GGUFWriter.ggml_pad(size, ALIGNMENT))
