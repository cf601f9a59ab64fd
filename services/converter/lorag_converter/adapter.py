"""A PEFT LoRA adapter, applied to rows of base tensors with the arithmetic of peft's own merge.

Order of operations matters for equal bytes: `B @ A` in float32, then times the scale, then added to the base in fp16.
"""

from __future__ import annotations

import json
import math
import re
import threading
from pathlib import Path
from typing import Any

import torch

from lorag_common.artifacts import sha256_file
from lorag_common.errors import LoragError, Reason
from lorag_converter import experts
from lorag_converter.tensors import as_rows, read_rows

CACHED = 8
FILES = ("adapter_config.json", "adapter_model.safetensors")
_WRAPPERS = re.compile(r"^(?:(?:model|language_model)\.)+")


def canonical(name: str) -> str:
    """A tensor's name without the wrappers that differ between module paths and checkpoints."""
    return _WRAPPERS.sub("", name)


class Adapter:
    """The tensors of one adapter and what they do to a base; with `folder` None, nothing.

    `experts` is the number of experts in a layer of the base, needed where the adapter trained stacked experts.
    """

    def __init__(self, folder: Path | None, experts: int = 0) -> None:
        self.config: dict[str, Any] = {}
        self.tensors: dict[str, Any] = {}
        self.used: set[str] = set()
        self._folder, self._experts = folder, experts
        self._prefix = ""
        self._cache: dict[str, torch.Tensor] = {}
        self._lock = threading.Lock()
        if folder is not None:
            self._load(folder)

    def _load(self, folder: Path) -> None:
        from gguf.utility import SafetensorsLocal

        self.config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        unsupported = [k for k in ("fan_in_fan_out", "layer_replication") if self.config.get(k)]
        if self.config.get("peft_type") != "LORA" or unsupported:
            what = ", ".join(unsupported) or self.config.get("peft_type")
            raise LoragError(Reason.ADAPTER_MISMATCH, f"The adapter uses {what}, which cannot be merged.")
        found = SafetensorsLocal(folder / "adapter_model.safetensors").tensors
        for name, tensor in found.items():
            if ".original_module." not in name:
                plain = name.removeprefix("base_model.model.").replace(".modules_to_save.", ".")
                self.tensors[canonical(plain)] = tensor
        layered = next((k for k in found if "layers." in k), "")
        self._prefix = layered.removeprefix("base_model.model.").split("layers.")[0] if layered else ""

    def digest(self) -> str:
        """Tells this adapter from others; empty when there is none."""
        return "".join(sha256_file(self._folder / n) for n in FILES) if self._folder else ""

    def tensor(self, name: str) -> torch.Tensor | None:
        """An adapter tensor in float32, in its own shape; None when there is none of that name."""
        if name not in self.tensors:
            return None
        self.used.add(name)
        with self._lock:
            if name not in self._cache:
                while len(self._cache) >= CACHED:
                    self._cache.pop(next(iter(self._cache)))
                shape = self.tensors[name].shape
                self._cache[name] = read_rows(self.tensors[name]).float().clone().view(shape)
            return self._cache[name]

    def replacement(self, name: str) -> Any | None:
        """The trained tensor that takes a base tensor's place (modules_to_save, saved embeddings), or None."""
        for key in (name, ".base_layer.".join(name.rsplit(".", 1))):
            if key in self.tensors:
                self.used.add(key)
                return self.tensors[key]
        return None

    def check_fits(self, name: str, shape: tuple[int, ...]) -> None:
        """Mark what belongs to this base tensor as placed, and hold its shapes against it.

        Raises:
            LoragError: ADAPTER_MISMATCH naming the tensor and both shapes.
        """
        if part := experts.slice_of(name, self.config):
            self.used |= {f"{part.module}.{p}" for p in PARTS[:2]} & self.tensors.keys()
            return
        module, _, what = name.rpartition(".")
        module = experts.router_module(name, self.config) or module
        suffixes = ("lora_B.bias",) if what == "bias" else PARTS if what == "weight" else ()
        for suffix in suffixes:
            if f"{module}.{suffix}" in self.tensors:
                self.used.add(f"{module}.{suffix}")
        pair = [self.tensors.get(f"{module}.{part}") for part in ("lora_A.weight", "lora_B.weight")]
        if what == "weight" and all(pair):
            a, b = (tuple(t.shape) for t in pair if t is not None)
            rows, columns = as_rows(shape)
            if (b[0], a[1]) != (rows, columns) or a[0] != b[1]:
                raise LoragError(
                    Reason.ADAPTER_MISMATCH,
                    f"'{name}' has shape {list(shape)} in the base, but the adapter's A {list(a)} and B {list(b)} make "
                    f"[{b[0]}, {a[1]}].",
                )

    def require_all_placed(self) -> None:
        """ADAPTER_MISMATCH when a tensor of the adapter belongs to nothing in the base."""
        left = sorted(set(self.tensors) - self.used)
        if left:
            raise LoragError(
                Reason.ADAPTER_MISMATCH, f"The base has no place for {len(left)} adapter tensors, e.g. '{left[0]}'."
            )

    def apply(self, name: str, rows: torch.Tensor, first: int, last: int) -> torch.Tensor:
        """Merge into rows `first` to `last` of a base tensor, given in the type that the merge works in."""
        if (part := experts.slice_of(name, self.config)) and f"{part.module}.lora_A.weight" in self.tensors:
            return rows.add_(self._expert(part)[first:last].to(rows.dtype))
        if router := experts.router_module(name, self.config):
            a, b = self.tensor(f"{router}.lora_A.weight"), self.tensor(f"{router}.lora_B.weight")
            if a is None or b is None:
                return rows
            return rows.add_(((b @ a) * self._scale(f"{router}.weight", a.shape[0]))[first:last].to(rows.dtype))
        module, _, what = name.rpartition(".")
        if what == "bias":
            bias = self.tensor(f"{module}.lora_B.bias")
            if bias is not None:
                rows = rows + (bias * self._scale(module, self.tensors[f"{module}.lora_A.weight"].shape[0]))[None]
            return rows
        if what != "weight":
            return rows
        rows = self._apply_linear(module, rows, first, last, rounded=experts.is_expert(name))
        rows = self._apply_embedding(module, rows, first, last)
        return self._apply_tokens(module, rows, first, last)

    def is_plain(self, name: str) -> bool:
        """Whether the adapter does nothing to this tensor, or only adds `delta` to it, unrounded."""
        if experts.slice_of(name, self.config) or experts.router_module(name, self.config):
            return False
        module, _, what = name.rpartition(".")
        if what != "weight":
            return what != "bias" or f"{module}.lora_B.bias" not in self.tensors
        touched = {part for part in PARTS if f"{module}.{part}" in self.tensors}
        return not touched or (touched == set(PARTS[:2]) and not experts.is_expert(name))

    def delta(self, module: str, first: int, last: int) -> tuple[torch.Tensor | None, float]:
        """Rows of a linear layer's B @ A, float32, and the scale that they want; (None, 0) where there is none."""
        a, b = self.tensor(f"{module}.lora_A.weight"), self.tensor(f"{module}.lora_B.weight")
        if a is None or b is None:
            return None, 0.0
        return b[first:last] @ a, self._scale(module, a.shape[0])

    def _expert(self, part: experts.Slice) -> torch.Tensor:
        a, b = self.tensor(f"{part.module}.lora_A.weight"), self.tensor(f"{part.module}.lora_B.weight")
        if a is None or b is None or not self._experts or a.shape[0] % self._experts:
            raise LoragError(
                Reason.ADAPTER_MISMATCH,
                f"'{part.parameter}' is trained for another number of experts than the base's {self._experts}.",
            )
        return experts.delta(a, b, self._scale(part.parameter, a.shape[0] // self._experts), part, self._experts)

    def _apply_linear(self, module: str, rows: torch.Tensor, first: int, last: int, *, rounded: bool) -> torch.Tensor:
        delta, scale = self.delta(module, first, last)
        if delta is None:
            return rows
        delta *= scale
        magnitude = self.tensor(f"{module}.lora_magnitude_vector")
        if magnitude is None:
            magnitude = self.tensor(f"{module}.lora_magnitude_vector.weight")
        if magnitude is None:
            # PEFT merges experts as a stack, whose change it rounds first; a linear layer's it does not.
            return rows.add_(delta.to(rows.dtype) if rounded else delta)
        # DoRA (Liu et al. 2024): direction from base + delta, length from the trained vector.
        delta += rows
        norm = torch.linalg.norm(delta, dim=1)
        return ((magnitude[first:last] / norm).view(-1, 1) * delta).to(rows.dtype)

    def _apply_embedding(self, module: str, rows: torch.Tensor, first: int, last: int) -> torch.Tensor:
        a, b = self.tensor(f"{module}.lora_embedding_A"), self.tensor(f"{module}.lora_embedding_B")
        if a is None or b is None:
            return rows
        # Unlike a linear layer's, an embedding's change is rounded to the rows' type before it is added.
        return rows.add_(((b @ a[:, first:last]).T * self._scale(module, a.shape[0])).to(rows.dtype))

    def _apply_tokens(self, module: str, rows: torch.Tensor, first: int, last: int) -> torch.Tensor:
        trained = self.tensor(f"{module}.token_adapter.trainable_tokens_delta")
        if trained is None:
            return rows
        ids = self.config["trainable_token_indices"]
        for row, token in enumerate(ids if isinstance(ids, list) else ids[module.rpartition(".")[2]]):
            if first <= token < last:
                rows[token - first] = trained[row].to(rows.dtype)
        return rows

    def _scale(self, module: str, rank: int) -> float:
        patterns = self.config.get("alpha_pattern") or {}
        full = self._prefix + module
        match = next((p for p in patterns if re.match(rf"(.*\.)?({p})$", full)), None)
        alpha = float(patterns[match] if match else self.config["lora_alpha"])
        return alpha / (math.sqrt(rank) if self.config.get("use_rslora") else rank)


PARTS = (
    "lora_A.weight",
    "lora_B.weight",
    "lora_embedding_A",
    "lora_embedding_B",
    "lora_magnitude_vector",
    "lora_magnitude_vector.weight",
    "token_adapter.trainable_tokens_delta",
)
