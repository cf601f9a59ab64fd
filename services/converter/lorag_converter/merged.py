"""A virtual checkpoint: base tensors as they would be after peft's merge in fp16, computed by rows when asked for."""

from __future__ import annotations

import re
from typing import Any

import torch
from gguf.utility import LocalTensor, SafetensorsLocal

from lorag_common.errors import LoragError, Reason
from lorag_converter.adapter import Adapter, canonical
from lorag_converter.tensors import announce_rows, as_rows, read_rows, slabs


class MergedTensor(LocalTensor):  # type: ignore[misc]
    """One tensor of the virtual checkpoint, in fp16; in float32 where transformers would have kept it so."""

    def __init__(self, name: str, base: Any, adapter: Adapter, *, full: bool = False) -> None:
        source = adapter.replacement(name) or base
        super().__init__("F32" if full else "F16", source.shape, source.data_range)
        self._type = torch.float32 if full else torch.float16
        self._name, self._source, self._adapter = name, source, adapter
        adapter.check_fits(name, tuple(source.shape))

    @property
    def plain(self) -> bool:
        """Whether each row is its base row in fp16, plus at most a linear layer's LoRA: what `unmerged` can say."""
        known = self._source.dtype in ("F32", "F16", "BF16")
        return known and self._type is torch.float16 and self._adapter.is_plain(self._name)

    def unmerged(self, first: int, last: int) -> tuple[torch.Tensor, torch.Tensor | None, float]:
        """Rows of the base in their own type, and of B @ A with its scale, (None, 0) where the adapter has none."""
        module, _, what = self._name.rpartition(".")
        delta, scale = self._adapter.delta(module, first, last) if what == "weight" else (None, 0.0)
        return read_rows(self._source, first, last), delta, scale

    def advise(self, first: int, last: int) -> None:
        """These rows will be asked for soon."""
        announce_rows(self._source, first, last)

    def rows(self, first: int, last: int) -> torch.Tensor:
        """Rows `first` to `last`, merged. LoragError WEIGHT_INVALID for NaN, Inf or a value beyond fp16."""
        values = read_rows(self._source, first, last).to(self._type)
        merged = self._adapter.apply(self._name, values, first, last)
        # One pass that allocates nothing: the sum of finite values this small is finite in float32.
        if not torch.isfinite(merged.sum(dtype=torch.float32)):
            where = str(self._source.data_range.filename).rpartition("/")[2]
            raise LoragError(
                Reason.WEIGHT_INVALID,
                f"'{self._name}' in {where} holds NaN, Inf or a value beyond 65504, which F16 cannot hold.",
            )
        return merged

    def mmap_bytes(self) -> Any:
        """The whole tensor's bytes, for what the mapping changes beyond recognition."""
        count, columns = as_rows(self.shape)
        out = torch.empty(count, columns, dtype=self._type)
        for first, last in slabs(count, columns):
            out[first:last] = self.rows(first, last)
        return out.view(-1).view(torch.uint8).numpy()


def virtual_checkpoint(adapter: Adapter, tied: bool, kept: tuple[str, ...] = ()) -> type[SafetensorsLocal]:
    """A stand-in for `gguf.utility.SafetensorsLocal` whose floating-point tensors are merged ones.

    Args:
        adapter: what to merge.
        tied: whether the base shares its embedding with its head.
        kept: modules that stay in float32.
    """
    from conversion import LazyTorchTensor

    types = LazyTorchTensor._dtype_str_map
    keeps = re.compile("|".join(rf"(?:^|\.){re.escape(k)}(?:$|\.)" for k in kept) or r"(?!)")

    class VirtualSafetensors(SafetensorsLocal):  # type: ignore[misc]
        def __init__(self, filename: Any) -> None:
            super().__init__(filename)
            base = dict(self.tensors)
            for name, tensor in base.items():
                if types[tensor.dtype].is_floating_point:
                    self.tensors[name] = MergedTensor(
                        canonical(name), tensor, adapter, full=keeps.search(name) is not None
                    )
            embedding = next((n for n in base if n.endswith("embed_tokens.weight")), None)
            if tied and embedding and adapter.replacement(canonical(embedding)) is not None:
                self._untie(base[embedding])

        def _untie(self, embedding: Any) -> None:
            # Trained embeddings part from the head, which keeps the base's unless training tied them deliberately.
            saved = adapter.config.get("modules_to_save") or []
            if adapter.config.get("ensure_weight_tying") or "embed_tokens" not in saved:
                adapter.used.add("lm_head.weight")
            else:
                self.tensors["lm_head.weight"] = MergedTensor("lm_head.weight", embedding, adapter)

    return VirtualSafetensors
