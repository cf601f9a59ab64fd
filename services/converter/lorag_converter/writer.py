"""Takes llama.cpp's F16 plan of a model and writes the quantized file, a slab at a time.

Stands in for `gguf.GGUFWriter` while llama.cpp's own `write()` runs: the mapping decides names, shapes and metadata,
and what comes out is, byte for byte, what its three-step route would have written.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf.gguf_writer import GGUFValue, TensorInfo

from lorag_common.errors import LoragError, Reason
from lorag_converter import ggml
from lorag_converter.adapter import Adapter
from lorag_converter.segments import segments
from lorag_converter.tensors import as_rows, slabs

ALIGNMENT = 32
Types = gguf.GGMLQuantizationType
PLAIN = {Types.F32: torch.float32, Types.F16: torch.float16}


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
    """

    adapter: Adapter
    ftype: int
    threads: int
    journal: Path
    progress: Callable[[int, int], None]
    should_stop: Callable[[], bool]


class Stopped(Exception):
    """`should_stop` said so; what is finished is in the journal."""


@dataclass(frozen=True)
class Planned:
    """One tensor of the output: its type, row length, bytes a row and position after the header."""

    name: str
    type: Any
    columns: int
    row_bytes: int
    size: int
    offset: int


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
    fd = os.open(target, os.O_RDWR)
    try:
        os.ftruncate(fd, total)
        with ThreadPoolExecutor(job.threads) as pool:
            for planned in plan:
                if job.should_stop():
                    raise Stopped
                if planned.name not in done:
                    _write_tensor(pool, fd, infos[planned.name].tensor, planned, start + planned.offset)
                    os.fdatasync(fd)
                    _remember(job.journal, planned.name)
                infos[planned.name].tensor = None
                job.progress(start + planned.offset + _padded(planned.size), total)
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_tensor(pool: ThreadPoolExecutor, fd: int, tensor: Any, planned: Planned, position: int) -> None:
    pending = []
    for segment in segments(tensor):
        for first, last in slabs(segment.size, planned.columns):
            where = position + first * planned.row_bytes
            pending.append(pool.submit(_write_slab, fd, segment.rows, first, last, planned.type, where))
        position += segment.size * planned.row_bytes
    for slab in pending:
        slab.result()


def _write_slab(
    fd: int, rows: Callable[[int, int], torch.Tensor], first: int, last: int, kind: Any, where: int
) -> None:
    with torch.inference_mode():
        values = rows(first, last)
        if kind in PLAIN:
            payload: Any = values.to(PLAIN[kind]).contiguous().numpy()
        elif kind is Types.BF16:
            payload = values.to(torch.bfloat16).contiguous().view(torch.int16).numpy()
        else:
            payload = ggml.quantize(int(kind), values.float().contiguous().numpy())
    view = memoryview(np.ascontiguousarray(payload).view(np.uint8).reshape(-1))  # type: ignore[arg-type]
    while view:
        written = os.pwrite(fd, view, where)
        view, where = view[written:], where + written


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
    lines = _lines(job.journal)
    if target.exists() and lines[:1] == [mark]:
        return set(lines[1:])
    target.write_bytes(head)
    job.journal.unlink(missing_ok=True)
    _remember(job.journal, mark)
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


def _lines(journal: Path) -> list[str]:
    """The journal's entries; the last line may be half written."""
    if not journal.exists():
        return []
    entries: list[str] = []
    for line in journal.read_text(encoding="utf-8").splitlines():
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return entries


def _remember(journal: Path, name: str) -> None:
    with journal.open("a", encoding="utf-8") as f:
        f.write(json.dumps(name) + "\n")
        f.flush()
        os.fsync(f.fileno())
