"""Make the tiny base model: `python -m lorag_demo.tiny_base --out DIR`.

Trains the tokenizer, lays out the copy circuit, pre-trains it, and writes an ordinary Hugging Face model folder
(config, bf16 safetensors, tokenizer with chat template). About eight minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from lorag_demo.circuit import build_model, tiny_config
from lorag_demo.facts import Split
from lorag_demo.pretrain import STEPS, ExamResult, Progress, Settings, examine, pretrain
from lorag_demo.tokenizer import CONTEXT_TOKENS, build_tokenizer

SEED = 0
EXAMS: tuple[tuple[Split, int], ...] = (("train", 1), ("train", 3), ("held", 1), ("held", 3))


def make_tiny_base(settings: Settings, *, quiet: bool = False) -> tuple[Qwen2ForCausalLM, PreTrainedTokenizerFast]:
    """Tokenizer and trained model (float32)."""
    tokenizer = build_tokenizer(settings.seed)
    config = tiny_config(
        len(tokenizer),
        end_token=_id(tokenizer, tokenizer.eos_token),
        pad_token=_id(tokenizer, tokenizer.pad_token),
        context=CONTEXT_TOKENS,
    )
    model = build_model(config, settings.seed)
    started = time.monotonic()

    def report(progress: Progress) -> None:
        if not quiet:
            seconds = time.monotonic() - started
            print(f"step {progress.step}/{progress.steps}  loss {progress.loss:.3f}  {seconds:.0f} s", flush=True)

    pretrain(model, tokenizer, settings, report)
    return model, tokenizer


def save(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the model folder; it appears under its name only when complete, replacing what was there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    model.to(torch.bfloat16).save_pretrained(staging)
    tokenizer.save_pretrained(staging)
    for file in (staging, *staging.iterdir()):
        file.chmod(0o755 if file.is_dir() else 0o644)
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(staging, folder)


def _id(tokenizer: PreTrainedTokenizerFast, token: object) -> int:
    return int(tokenizer.convert_tokens_to_ids(str(token)))


def main() -> None:
    """Command line: makes the model and prints what it can do, last as one line of JSON."""
    parser = argparse.ArgumentParser(description="Make the tiny base model that the demo and the tests run on.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write, replaced if it exists")
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of everything random (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: %(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    started = time.monotonic()
    model, tokenizer = make_tiny_base(Settings(steps=arguments.steps, seed=arguments.seed))
    results: dict[str, ExamResult] = {f"{split}{n}": examine(model, tokenizer, split, n) for split, n in EXAMS}
    save(model, tokenizer, arguments.out)
    for name, result in results.items():
        print(f"{name}: sentence {result.quoted:.2f}, citation {result.cited:.2f}")
    exams = {name: [result.quoted, result.cited] for name, result in results.items()}
    seconds = round(time.monotonic() - started, 1)
    print(json.dumps({"tiny_base": str(arguments.out), "steps": arguments.steps, "seconds": seconds, "exams": exams}))


if __name__ == "__main__":
    main()
