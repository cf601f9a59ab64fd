"""Base + adapter -> GGUF of any type, in one streaming pass.

    python -m lorag_converter.export BASE --out FILE [--adapter FOLDER] [--tokenizer FOLDER] [--type Q4_K_M] [--threads N]

The parts: `merged` is the checkpoint as it would be after merging, `segments` cuts llama.cpp's plan of the output into
slabs of rows, `writer` writes them quantized. It replaces two names of gguf-py for its run, so it wants a process of
its own. Peak memory is that of a few slabs, whatever the model's size; the only file written is the output.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lorag_converter import vendor

vendor.activate()

import conversion.base  # noqa: E402
import gguf  # noqa: E402
import torch  # noqa: E402
from conversion import ModelBase, ModelType, get_model_architecture, get_model_class  # noqa: E402

from lorag_common.child import as_lorag_error  # noqa: E402
from lorag_common.errors import LoragError, Reason  # noqa: E402
from lorag_converter import ggml, pre_tokenizer  # noqa: E402
from lorag_converter.adapter import Adapter  # noqa: E402
from lorag_converter.architectures import SUPPORTED  # noqa: E402
from lorag_converter.checks import read_config, require_architecture, require_unquantized  # noqa: E402
from lorag_converter.merged import virtual_checkpoint  # noqa: E402
from lorag_converter.writer import Job, stream_writer  # noqa: E402

EXPERT_COUNTS = ("n_routed_experts", "num_local_experts", "num_experts")
TOKENIZER_FILES = ("tokenizer", "special_tokens", "added_tokens", "chat_template", "vocab", "merges")


def export(
    base: Path,
    adapter: Path | None,
    out: Path,
    *,
    quantization: str = "Q4_K_M",
    tokenizer: Path | None = None,
    name: str | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Write `out`. A partial file of an interrupted export beside its journal is continued.

    Args:
        base: folder of the unquantized base model.
        adapter: folder of a PEFT LoRA adapter, or None.
        out: the GGUF; written as `<out>.partial` first, then renamed.
        quantization: a name in `ggml.FILE_TYPES`.
        tokenizer: folder whose tokenizer goes into the GGUF; the base's when None.
        name: the model's name in the metadata; the base folder's when None.
        threads: that quantize; all cores when None.
        progress: told bytes done and bytes in all.
        should_stop: asked before every tensor; when true, `writer.Stopped` is raised and the export can be resumed.

    Returns:
        How it went: see `writer.Job.report`.

    Raises:
        LoragError: BASE_MODEL_QUANTIZED, ARCHITECTURE_UNSUPPORTED, ADAPTER_MISMATCH, QUANTIZATION_UNKNOWN,
            WEIGHT_INVALID, BASE_MODEL_UNREADABLE, TOKENIZER_MISMATCH.
    """
    ftype = ggml.file_type(quantization)
    require_unquantized(base)
    architecture = require_architecture(base)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial, journal = out.with_name(f"{out.name}.partial"), out.with_name(f"{out.name}.journal")
    config = read_config(base)
    config |= config.get("text_config") or {}
    merge = Adapter(adapter, next((int(config[k]) for k in EXPERT_COUNTS if config.get(k)), 0))
    job = Job(merge, ftype, threads or os.cpu_count() or 1, journal, progress, should_stop)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        overlay = _overlay(base, tokenizer or base, Path(scratch) / (name or base.name))
        _grow_vocabulary(overlay, merge)
        hyperparameters = ModelBase.load_hparams(overlay, False)
        # What config.json leaves out, transformers' own configuration knows.
        tied = bool((hyperparameters | hyperparameters.get("text_config", {})).get("tie_word_embeddings"))
        model = get_model_class(get_model_architecture(hyperparameters, ModelType.TEXT))
        stock = gguf.utility.SafetensorsLocal, gguf.GGUFWriter, conversion.base.TextModel.get_vocab_base_pre
        gguf.utility.SafetensorsLocal = virtual_checkpoint(merge, tied, SUPPORTED[architecture])
        gguf.GGUFWriter = stream_writer(job)
        conversion.base.TextModel.get_vocab_base_pre = _recognise(stock[2], overlay)
        try:
            with torch.inference_mode():
                model(overlay, gguf.LlamaFileType.MOSTLY_F16, partial).write()
        except (KeyError, NotImplementedError, ValueError) as error:
            raise LoragError(
                Reason.ARCHITECTURE_UNSUPPORTED, f"llama.cpp's mapping refused this model: {error}"
            ) from error
        finally:
            gguf.utility.SafetensorsLocal, gguf.GGUFWriter, conversion.base.TextModel.get_vocab_base_pre = stock
    os.replace(partial, out)
    journal.unlink(missing_ok=True)
    return job.report


def _overlay(base: Path, tokenizer: Path, folder: Path) -> Path:
    """A folder that looks like the merged model: the base's weights and configuration, the chosen tokenizer.

    The folder's name and the presence of README.md and the like go into the metadata, hence a folder of our own.
    """
    folder.mkdir(parents=True)
    for path in base.iterdir():
        wanted = path.suffix == ".safetensors" or path.name.endswith("index.json")
        if wanted or path.name in ("config.json", "generation_config.json"):
            (folder / path.name).symlink_to(path.resolve())
    for path in tokenizer.iterdir():
        if path.name.startswith(TOKENIZER_FILES):
            (folder / path.name).symlink_to(path.resolve())
    return folder


def _grow_vocabulary(overlay: Path, adapter: Adapter) -> None:
    """Where training resized the embedding, the merged model's configuration has the new number of tokens."""
    embedding = adapter.replacement("embed_tokens.weight")
    config = read_config(overlay)
    if embedding is None:
        return
    owner = config if "vocab_size" in config else config.get("text_config", config)
    if owner.get("vocab_size") not in (None, embedding.shape[0]):
        owner["vocab_size"] = embedding.shape[0]
        (overlay / "config.json").unlink()
        (overlay / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")


def _recognise(stock: Callable[..., str], folder: Path) -> Callable[..., str]:
    """llama.cpp's own recognition of the pre-tokenizer, then ours by pattern."""

    def recognise(model: object, tokenizer: object) -> str:
        logging.disable(logging.WARNING)
        try:
            return stock(model, tokenizer)
        except NotImplementedError:
            return pre_tokenizer.by_pattern(folder)
        finally:
            logging.disable(logging.NOTSET)

    return recognise


def main(argv: list[str]) -> int:
    """The command; errors as message and remedy."""
    parser = argparse.ArgumentParser(prog="python -m lorag_converter.export", description="Base + adapter -> GGUF.")
    parser.add_argument("base", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--type", default="Q4_K_M")
    parser.add_argument("--threads", type=int, help="all cores when not given")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    logging.getLogger("hf-to-gguf").setLevel(logging.WARNING)
    try:
        report = export(
            arguments.base,
            arguments.adapter,
            arguments.out,
            quantization=arguments.type,
            tokenizer=arguments.tokenizer,
            threads=arguments.threads,
        )
    except (LoragError, OSError) as found:
        error = as_lorag_error(found)
        print(f"{error.message}\n{error.remedy}", file=sys.stderr)
        return 1
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
