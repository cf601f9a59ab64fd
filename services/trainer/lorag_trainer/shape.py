"""The weights of a base model, counted from its config.json alone: the model is built without any memory behind it.

Building needs torch and takes seconds, so it is done in a process of its own, `python -m lorag_trainer.shape CONFIG`,
and its answer is kept by the sha256 of the configuration.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lorag_common.artifacts import write_json
from lorag_common.errors import LoragError, Reason

TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Linear:
    """Linear layers of one name and size: `count` of them, each of `inputs` x `outputs` weights."""

    name: str
    inputs: int
    outputs: int
    count: int


@dataclass(frozen=True)
class Shape:
    """The weights of a decoder.

    Attributes:
        linear: the layers that are quantized and that may get adapters: all linear ones but the head.
        embeddings: weights of embedding and head, counted once where they are tied.
        other: all other weights: norms, biases, stacked experts.
        layers: blocks.
        hidden: width of the residual stream.
        vocabulary: tokens.
    """

    linear: tuple[Linear, ...]
    embeddings: int
    other: int
    layers: int
    hidden: int
    vocabulary: int

    @property
    def linear_weights(self) -> int:
        """Weights of all linear layers."""
        return sum(m.inputs * m.outputs * m.count for m in self.linear)

    @property
    def weights(self) -> int:
        """All weights."""
        return self.linear_weights + self.embeddings + self.other

    def adapted(self, modules: str | list[str]) -> list[Linear]:
        """The layers that get adapters: PEFT's `target_modules`, "all-linear" or names."""
        return [m for m in self.linear if modules == "all-linear" or m.name in modules]


def shape_of(config: dict[str, Any], cache: Path | None = None) -> Shape:
    """Count the weights of a base.

    Args:
        config: its config.json.
        cache: a folder where the answer is kept.

    Raises:
        LoragError: ARCHITECTURE_UNSUPPORTED when transformers cannot build a causal model of it.
    """
    text = json.dumps(config, sort_keys=True)
    kept = cache / f"{hashlib.sha256(text.encode()).hexdigest()}.json" if cache else None
    if kept and kept.exists():
        return _decoded(json.loads(kept.read_text(encoding="utf-8")))
    done = subprocess.run(
        [sys.executable, "-m", "lorag_trainer.shape"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        message = f"The size of this base model ({config.get('model_type')}) cannot be told: {last}"
        raise LoragError(Reason.ARCHITECTURE_UNSUPPORTED, message, field="base_model")
    found: dict[str, Any] = json.loads(done.stdout)
    if kept:
        write_json(kept, found)
    return _decoded(found)


def build(config: dict[str, Any]) -> Shape:
    """Build the model on torch's meta device and count. Imports torch."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    made = AutoConfig.for_model(**config)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(made)
    tables = {
        id(m.weight): m.weight.numel() for m in (model.get_input_embeddings(), model.get_output_embeddings()) if m
    }
    head = model.get_output_embeddings()
    found: Counter[tuple[str, int, int]] = Counter()
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and module is not head:
            found[name.rpartition(".")[2], module.in_features, module.out_features] += 1
    linear = tuple(Linear(*key, count) for key, count in found.items())
    everything = sum(p.numel() for p in model.parameters())
    embeddings = sum(tables.values())
    text = made.get_text_config()
    in_linear = sum(m.inputs * m.outputs * m.count for m in linear)
    return Shape(
        linear,
        embeddings,
        everything - embeddings - in_linear,
        text.num_hidden_layers,
        text.hidden_size,
        text.vocab_size,
    )


def _decoded(found: dict[str, Any]) -> Shape:
    return Shape(**{**found, "linear": tuple(Linear(**m) for m in found["linear"])})


if __name__ == "__main__":
    json.dump(asdict(build(json.load(sys.stdin))), sys.stdout)
