"""A model that never stops by itself: what is cut off in mid-answer can only have been cut off by what a test did."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import TINY_BASE

SIZE = {"hidden_size": 512, "intermediate_size": 1024, "num_hidden_layers": 16, "max_position_embeddings": 32768}


def make_endless(folder: Path) -> None:
    """The tiny base's tokenizer and template over wider, deeper and random weights: slow, and far from its end token.

    In a process of its own, since torch stays in memory.
    """
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        shutil.copyfile(TINY_BASE / name, folder / name)
    code = (
        "import sys, torch; from transformers import AutoConfig, Qwen2ForCausalLM; torch.manual_seed(0);"
        f"config = AutoConfig.from_pretrained(sys.argv[1], **{SIZE!r}, layer_types=['full_attention'] * 16);"
        "Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(sys.argv[2])"
    )
    command = [sys.executable, "-c", code, str(TINY_BASE), str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    )
    assert done.returncode == 0, done.stderr[-2000:]
