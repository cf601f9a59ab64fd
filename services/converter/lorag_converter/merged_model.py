"""The merged model as safetensors, for tools that want one: shard by shard, in the memory of a slab.

    python -m lorag_converter.merged_model BASE --adapter FOLDER --out FOLDER

The tensors are those that PEFT's merge in fp16 gives. The GGUF does not need this; it is made straight from the base.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from lorag_converter import vendor

vendor.activate()

import torch  # noqa: E402

from lorag_common.errors import LoragError, Reason  # noqa: E402
from lorag_converter.adapter import Adapter  # noqa: E402
from lorag_converter.architectures import SUPPORTED  # noqa: E402
from lorag_converter.checks import read_config, require_architecture, require_unquantized  # noqa: E402
from lorag_converter.export import EXPERT_COUNTS, TOKENIZER_FILES  # noqa: E402
from lorag_converter.merged import MergedTensor, virtual_checkpoint  # noqa: E402
from lorag_converter.tensors import as_rows, slabs  # noqa: E402

INDEX = "model.safetensors.index.json"


def write_merged(
    base: Path, adapter: Path, out: Path, *, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Write the folder `out`: the base's shards merged, with configuration and tokenizer. It appears when complete.

    Args:
        progress: told bytes done and bytes in all.

    Raises:
        LoragError: INVALID_FIELD when `out` is there already; BASE_MODEL_QUANTIZED, ARCHITECTURE_UNSUPPORTED,
            ADAPTER_MISMATCH, WEIGHT_INVALID, BASE_MODEL_UNREADABLE.
    """
    if out.exists():
        raise LoragError(
            Reason.INVALID_FIELD, f"'{out.name}' is there already.", remedy="Name a new folder.", field="out"
        )
    require_unquantized(base)
    kept = SUPPORTED[require_architecture(base)]
    config = read_config(base)
    text = config | (config.get("text_config") or {})
    merge = Adapter(adapter, next((int(text[k]) for k in EXPERT_COUNTS if text.get(k)), 0))
    files = virtual_checkpoint(merge, bool(text.get("tie_word_embeddings")), kept)
    shards = {path.name: files(path).tensors for path in sorted(base.glob("*.safetensors"))}
    merge.require_all_placed()
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    total, done = sum(_size(t) for s in shards.values() for t in s.values()), 0
    index: dict[str, str] = {}
    for name, tensors in shards.items():
        index |= dict.fromkeys(tensors, name)
        with (partial / name).open("wb") as f, torch.inference_mode():
            for written in _write_shard(f, tensors):
                done += written
                progress(done, total)
            f.flush()
            os.fsync(f.fileno())
    if len(shards) > 1:
        (partial / INDEX).write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": index}, indent=2))
    tokenizer = adapter if (adapter / "tokenizer.json").exists() else base
    for path in tokenizer.iterdir():
        if path.name.startswith(TOKENIZER_FILES):
            shutil.copyfile(path, partial / path.name)
    if (base / "generation_config.json").exists():
        shutil.copyfile(base / "generation_config.json", partial / "generation_config.json")
    (partial / "config.json").write_text(json.dumps(_configured(config, shards), indent=2), encoding="utf-8")
    os.rename(partial, out)


def _configured(config: dict[str, Any], shards: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The base's configuration, with what the merge changed: type, number of tokens, a head of its own."""
    found = {name: tensor for tensors in shards.values() for name, tensor in tensors.items()}
    changed = {k: v for k, v in config.items() if k != "torch_dtype"} | {"dtype": "float16"}
    embedding = next((t for n, t in found.items() if n.endswith("embed_tokens.weight")), None)
    if embedding is not None and "vocab_size" in changed:
        changed["vocab_size"] = embedding.shape[0]
    if "lm_head.weight" in found:
        changed["tie_word_embeddings"] = False
    return changed


def _size(tensor: Any) -> int:
    rows, columns = as_rows(tuple(tensor.shape))
    width = 4 if tensor.dtype == "F32" else 2
    return rows * columns * width if isinstance(tensor, MergedTensor) else int(tensor.data_range.size)


def _write_shard(f: BinaryIO, tensors: dict[str, Any]) -> Any:
    """Write one safetensors file; yields the bytes of each tensor once it is written."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, tensor in tensors.items():
        shape = list(tensor.shape)
        header[name] = {"dtype": tensor.dtype, "shape": shape, "data_offsets": [at, at + _size(tensor)]}
        at += _size(tensor)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    f.write(len(text).to_bytes(8, "little") + text)
    for tensor in tensors.values():
        if isinstance(tensor, MergedTensor):
            for first, last in slabs(*as_rows(tuple(tensor.shape))):
                f.write(tensor.rows(first, last).contiguous().view(-1).view(torch.uint8).numpy().data)
        else:
            f.write(tensor.mmap_bytes().tobytes())
        yield _size(tensor)


def main(argv: list[str]) -> int:
    """The command; errors as message and remedy."""
    parser = argparse.ArgumentParser(
        prog="python -m lorag_converter.merged_model", description="Base + adapter, merged."
    )
    parser.add_argument("base", type=Path)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(argv)
    try:
        write_merged(arguments.base, arguments.adapter, arguments.out)
    except LoragError as error:
        print(f"{error.message}\n{error.remedy}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
