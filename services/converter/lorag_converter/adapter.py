"""A PEFT LoRA adapter, and where each of its tensors goes in the base.

`place` pairs every tensor of the adapter with a tensor of the base, or refuses: a tensor left over would be learned
weight silently dropped. Only headers are read here; the arithmetic is in `patches`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorag_common.errors import LoragError, Reason
from lorag_converter.patches import BiasChange, Decomposed, EmbeddingLowRank, LowRank, Patch, TrainedRows
from lorag_converter.safetensors_reader import StoredTensor, read_header

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
HEAD, EMBEDDING = "lm_head.weight", "embed_tokens.weight"
_PREFIX = "base_model.model."
# What PEFT puts between a module's name and a weight's; the longest first.
_PARTS = (
    "lora_A.weight",
    "lora_B.weight",
    "lora_B.bias",
    "lora_embedding_A",
    "lora_embedding_B",
    "lora_magnitude_vector.weight",
    "lora_magnitude_vector",
    "token_adapter.trainable_tokens_delta",
)
# These change the base when training starts, so their deltas mean nothing on the base itself.
_BASE_CHANGING = ("pissa", "olora", "corda", "loftq")


def canonical(name: str) -> str:
    """A weight's name without the wrappers that a checkpoint and a module tree put before it differently."""
    return re.sub(r"^(?:(?:model|language_model)\.)+", "", name)


@dataclass(frozen=True)
class Placed:
    """What becomes of one tensor of the base: perhaps replaced whole, then changed."""

    replacement: StoredTensor | None = None
    patches: tuple[Patch, ...] = ()


@dataclass
class _Module:
    """The adapter's tensors of one module, by part; `path` as PEFT names the module."""

    path: str
    parts: dict[str, StoredTensor] = field(default_factory=dict)


class Adapter:
    """An adapter folder, or none of it for a base that is converted as it is.

    Args:
        folder: holds adapter_config.json and adapter_model.safetensors; None for no adapter.

    Raises:
        LoragError: ADAPTER_NOT_FOUND, ADAPTER_MISMATCH when it is no LoRA adapter that can be merged.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.config: dict[str, Any] = {}
        self._modules: dict[str, _Module] = {}
        self._whole: dict[str, StoredTensor] = {}
        self._waiting: set[str] = set()
        if folder is not None:
            self._read(folder)

    @property
    def tensors(self) -> list[StoredTensor]:
        """All tensors."""
        return [*self._whole.values(), *(t for m in self._modules.values() for t in m.parts.values())]

    def replaces(self, base_name: str) -> StoredTensor | None:
        """The tensor that takes the place of a whole tensor of the base: of `modules_to_save`, a saved embedding."""
        name = canonical(base_name)
        module, _, what = name.rpartition(".")
        return self._whole.get(name) or self._whole.get(f"{module}.base_layer.{what}")

    def unties_embeddings(self, tied: bool) -> bool:
        """Whether a tied head gets weights of its own by merging: the embedding was trained and the head was not."""
        saved = self.config.get("modules_to_save") or []
        trained = self._whole.keys() & {EMBEDDING, "embed_tokens.base_layer.weight"}
        return tied and bool(trained) and "embed_tokens" in saved and not self.config.get("ensure_weight_tying")

    def place(self, base: Mapping[str, StoredTensor]) -> dict[str, Placed]:
        """What becomes of each tensor of the base that the adapter touches.

        Raises:
            LoragError: ADAPTER_MISMATCH naming tensor and shapes, or the tensors that have no place.
        """
        self._waiting = {t.name for t in self.tensors}
        placed = {name: p for name, t in base.items() if (p := self._placed(name, t)) != Placed()}
        if self._waiting:
            names = sorted(self._waiting)
            raise LoragError(
                Reason.ADAPTER_MISMATCH,
                f"{len(names)} tensors of the adapter have no place in the base model: {', '.join(names[:4])}"
                f"{', …' if len(names) > 4 else ''}.",
            )
        return placed

    def ignore(self, base_name: str) -> None:
        """Let the adapter's own copy of a tied tensor go: the base's other name for it is what counts."""
        self._whole.pop(canonical(base_name), None)

    def _read(self, folder: Path) -> None:
        if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
            raise LoragError(
                Reason.ADAPTER_NOT_FOUND, f"'{folder.name}' is no adapter: it lacks {CONFIG} or {WEIGHTS}."
            )
        try:
            self.config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        except ValueError as error:
            raise LoragError(Reason.ADAPTER_MISMATCH, f"{CONFIG} is not JSON: {error}") from error
        if why := unmergeable(self.config):
            raise LoragError(
                Reason.ADAPTER_MISMATCH, why, remedy="Give a plain LoRA, rsLoRA or DoRA adapter, saved by PEFT."
            )
        for name, tensor in read_header(folder / WEIGHTS).items():
            if ".original_module." not in name:
                self._sort(name, tensor)

    def _sort(self, name: str, tensor: StoredTensor) -> None:
        path = name.removeprefix(_PREFIX)
        for part in _PARTS:
            if path.endswith("." + part):
                module = path.removesuffix("." + part)
                self._modules.setdefault(canonical(module), _Module(module)).parts[part] = tensor
                return
        self._whole[canonical(re.sub(r"\.modules_to_save(\.default)?\.", ".", path))] = tensor

    def _placed(self, base_name: str, base: StoredTensor) -> Placed:
        replacement = self.replaces(base_name)
        if replacement is not None:
            self._take(replacement)
            _require(replacement, replacement.shape[1:] == base.shape[1:], base)
        module, _, what = canonical(base_name).rpartition(".")
        found = self._modules.get(module)
        patches = self._patches(found, what, replacement or base) if found else ()
        return Placed(replacement, tuple(patches))

    def _patches(self, module: _Module, what: str, base: StoredTensor) -> Iterable[Patch]:
        parts = module.parts
        if what == "bias" and (change := parts.get("lora_B.bias")):
            self._take(change)
            _require(change, change.shape == base.shape, base)
            yield BiasChange(change, self._scale(module, parts["lora_A.weight"].shape[0]))
        if what != "weight":
            return
        rows, columns = base.rows_and_columns
        if (a := parts.get("lora_A.weight")) and (b := parts.get("lora_B.weight")):
            self._take(a, b)
            _require(a, len(a.shape) == 2 and a.shape[1] == columns and len(base.shape) == 2, base)
            _require(b, b.shape == (rows, a.shape[0]), base)
            low_rank = LowRank(a, b, self._scale(module, a.shape[0]))
            magnitude = parts.get("lora_magnitude_vector") or parts.get("lora_magnitude_vector.weight")
            if magnitude:
                self._take(magnitude)
                _require(magnitude, math.prod(magnitude.shape) == rows, base)
            yield Decomposed(low_rank, magnitude) if magnitude else low_rank
        if (a := parts.get("lora_embedding_A")) and (b := parts.get("lora_embedding_B")):
            self._take(a, b)
            _require(a, len(a.shape) == 2 and a.shape[1] == rows, base)
            _require(b, b.shape == (columns, a.shape[0]), base)
            yield EmbeddingLowRank(a, b, self._scale(module, a.shape[0]))
        if values := parts.get("token_adapter.trainable_tokens_delta"):
            ids = self._trained_ids(module.path)
            self._take(values)
            _require(values, values.shape == (len(ids), columns), base)
            yield TrainedRows(ids, values)

    def _scale(self, module: _Module, rank: int) -> float:
        """alpha / r, or alpha / sqrt(r) with rsLoRA (arXiv 2312.03732); a pattern may name a module's own alpha."""
        patterns: dict[str, float] = self.config.get("alpha_pattern") or {}
        alpha = next(
            (a for p, a in patterns.items() if re.match(rf"(.*\.)?({p})$", module.path)), self.config["lora_alpha"]
        )
        return float(alpha / (math.sqrt(rank) if self.config.get("use_rslora") else rank))

    def _trained_ids(self, path: str) -> tuple[int, ...]:
        ids = self.config.get("trainable_token_indices") or []
        return tuple(ids if isinstance(ids, list) else ids[path.rpartition(".")[2]])

    def _take(self, *tensors: StoredTensor) -> None:
        self._waiting -= {t.name for t in tensors}


def unmergeable(config: Mapping[str, Any]) -> str | None:
    """Why an adapter of this configuration cannot be merged row by row; None when it can."""
    if config.get("peft_type") != "LORA":
        return f"The adapter is of type {config.get('peft_type')}; only LoRA can be merged."
    start = str(config.get("init_lora_weights", "")).lower()
    if start.startswith(_BASE_CHANGING):
        return f"The adapter was started with {start}, which changes the base; save it converted to plain LoRA."
    for key in ("fan_in_fan_out", "layer_replication", "alora_invocation_tokens", "target_parameters", "use_qalora"):
        if config.get(key):
            return f"The adapter uses '{key}', which cannot be merged here."
    return None


def _require(tensor: StoredTensor, fits: bool, base: StoredTensor) -> None:
    if not fits:
        raise LoragError(
            Reason.ADAPTER_MISMATCH,
            f"The adapter does not fit the base model: '{tensor.name}' has shape {list(tensor.shape)}, "
            f"but '{base.name}' has {list(base.shape)}.",
        )
