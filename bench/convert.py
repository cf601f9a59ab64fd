"""The converter's one pass against the classic three steps, on the same inputs in one run.

    python -m bench.convert [--shape qwen2.5-32b-layer|small] [--work FOLDER]

The classic route is PEFT's merge, llama.cpp's own converter and `llama_model_quantize`. Weights are random: bytes, seconds
and memory do not depend on what they say. Prints JSON: `wall_ratio` (ours / classic), peak memory of both, disk that ours
used beyond base and output at its peak, and whether the files are the same to the byte; `kernel`, and how many rows it was
checked on; `disk_wait_share`, of the threads' time; and one thread's time over that of all: `threads_ratio` of the pass
itself, `threads_wall_ratio` with what comes before it (imports, tokenizer, plan).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from lorag_common.artifacts import sha256_file

REPOSITORY = Path(__file__).resolve().parents[1]
CLASSIC = REPOSITORY / "tests" / "integration" / "classic_route.py"
_NAMES = (
    "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads", "num_hidden_layers", "vocab_size",
)  # fmt: skip
SHAPES: dict[str, dict[str, int]] = {
    "small": dict(zip(_NAMES, (896, 4864, 14, 2, 4, 32000), strict=True)),
    "qwen2.5-32b-layer": dict(zip(_NAMES, (5120, 27648, 40, 8, 1, 152064), strict=True)),
}
RANK = 16


def make_inputs(shape: dict[str, int], work: Path) -> None:
    """A Qwen2 base in BF16, a file per layer, and a LoRA adapter on all of its linear layers."""
    torch.manual_seed(0)
    base, adapter = work / "base", work / "adapter"
    shutil.copytree(
        REPOSITORY / "demo" / "tiny_base", base, ignore=shutil.ignore_patterns("*.safetensors", "config.json")
    )
    adapter.mkdir()
    config = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "dtype": "bfloat16", "hidden_act": "silu"}
    more = {"rms_norm_eps": 1e-6, "rope_theta": 1e6, "max_position_embeddings": 32768, "tie_word_embeddings": False}
    (base / "config.json").write_text(json.dumps(config | more | shape))
    hidden, inner = shape["hidden_size"], shape["intermediate_size"]
    kv = hidden // shape["num_attention_heads"] * shape["num_key_value_heads"]
    linear = {
        "self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (kv, hidden), "self_attn.v_proj": (kv, hidden),
        "self_attn.o_proj": (hidden, hidden), "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }  # fmt: skip
    index: dict[str, str] = {}

    def save(name: str, tensors: dict[str, torch.Tensor]) -> None:
        save_file(tensors, base / name, {"format": "pt"})
        index.update(dict.fromkeys(tensors, name))

    def random(*size: int) -> torch.Tensor:
        return torch.empty(size, dtype=torch.bfloat16).normal_(0, 0.02)

    lora: dict[str, torch.Tensor] = {}
    save("embedding.safetensors", {"model.embed_tokens.weight": random(shape["vocab_size"], hidden)})
    save(
        "head.safetensors", {"lm_head.weight": random(shape["vocab_size"], hidden), "model.norm.weight": random(hidden)}
    )
    for layer in range(shape["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        tensors = {f"{prefix}{n}.weight": random(*size) for n, size in linear.items()}
        tensors |= {f"{prefix}self_attn.{n}_proj.bias": random(linear[f"self_attn.{n}_proj"][0]) for n in "qkv"}
        tensors |= {f"{prefix}{n}_layernorm.weight": random(hidden) for n in ("input", "post_attention")}
        save(f"layer-{layer}.safetensors", tensors)
        for name, (rows, columns) in linear.items():
            lora[f"base_model.model.{prefix}{name}.lora_A.weight"] = torch.randn(RANK, columns) * 0.05
            lora[f"base_model.model.{prefix}{name}.lora_B.weight"] = torch.randn(rows, RANK) * 0.05
    (base / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    save_file(lora, adapter / "adapter_model.safetensors")
    targets = [n.rpartition(".")[2] for n in linear]
    settings = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": 32, "target_modules": targets}
    (adapter / "adapter_config.json").write_text(json.dumps(settings | {"base_model_name_or_path": "base"}))


def measured(command: list[str], log: Path, watched: Path | None = None, output: str = "") -> tuple[float, int, int]:
    """Run a process, its standard output into `log`: wall seconds, peak resident bytes, and the peak bytes in `watched`
    beyond files named `output*`.
    """
    extra, done = [0], threading.Event()

    def watch(folder: Path) -> None:
        while not done.wait(0.02):
            used = 0
            for path in folder.rglob("*"):
                try:
                    used += 0 if path.name.startswith(output) else path.lstat().st_blocks * 512
                except FileNotFoundError:
                    continue
            extra[0] = max(extra[0], used)

    watcher = threading.Thread(target=watch, args=(watched,), daemon=True) if watched else None
    started = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, *command], stdout=out)
        if watcher:
            watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    done.set()
    if status:
        raise SystemExit(f"{command} ended with {status}")
    return seconds, usage.ru_maxrss * 1024, extra[0]


def last_json(log: Path) -> dict[str, Any]:
    """The JSON on the last line of a log."""
    found: dict[str, Any] = json.loads(log.read_text().splitlines()[-1])
    return found


def main(argv: list[str]) -> None:
    """Make the inputs, run both routes, print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.convert")
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--work", type=Path, help="where the inputs and outputs go; the system's temporary folder")
    parser.add_argument("--only-inputs", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.only_inputs:
        make_inputs(SHAPES[arguments.shape], arguments.only_inputs)
        return
    os.environ["MALLOC_ARENA_MAX"] = "2"
    with tempfile.TemporaryDirectory(dir=arguments.work) as folder:
        work = Path(folder)
        # In a process of its own: the peak memory of a child counts that of the process it was started from.
        make = [sys.executable, "-m", "bench.convert", "--shape", arguments.shape, "--only-inputs", str(work)]
        subprocess.run(make, check=True)
        base, adapter, ours = work / "base", work / "adapter", work / "ours"
        ours.mkdir()
        out = ours / "model.gguf"
        print("one pass ...", file=sys.stderr, flush=True)
        command = ["-m", "lorag_converter.export", str(base), "--adapter", str(adapter), "--out", str(out)]
        wall, rss, extra = measured(command, work / "ours.log", ours, out.name)
        report = last_json(work / "ours.log")
        digest = sha256_file(out)
        out.unlink()
        print(f"{wall:.1f} s; by one thread ...", file=sys.stderr, flush=True)
        one_wall, *_ = measured([*command, "--threads", "1"], work / "one.log")
        one = last_json(work / "one.log")
        one_digest = sha256_file(out)
        out.unlink()
        print(f"{one_wall:.1f} s; the classic three steps ...", file=sys.stderr, flush=True)
        steps = work / "classic"
        steps.mkdir()
        classic = [str(CLASSIC), str(base), str(adapter), str(steps), str(work / "classic.gguf")]
        classic_wall, classic_rss, classic_extra = measured(classic, work / "classic.log", steps, "-")
        found: dict[str, Any] = {
            "bench": "convert",
            "shape": arguments.shape,
            "wall_s": round(wall, 1),
            "classic_wall_s": round(classic_wall, 1),
            "wall_ratio": round(wall / classic_wall, 3),
            "rss_mib": rss >> 20,
            "classic_rss_mib": classic_rss >> 20,
            "extra_disk_bytes": extra,
            "classic_extra_disk_bytes": classic_extra,
            "sha256_equal": digest == one_digest == sha256_file(work / "classic.gguf"),
            "kernel": report["kernel"],
            "kernel_refused": report["kernel_refused"],
            "rows_checked": report["rows_checked"],
            "disk_wait_share": report["disk_wait_share"],
            "threads": report["threads"],
            "threads_ratio": round(one["seconds"] / report["seconds"], 2),
            "threads_wall_ratio": round(one_wall / wall, 2),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
