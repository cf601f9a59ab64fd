"""Merged rows have the bits of PEFT's own merge, whatever rows are asked for; what has no place is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn

from lorag_common.errors import LoragError, Reason
from lorag_converter import vendor

vendor.activate()

from lorag_converter.adapter import Adapter, canonical
from lorag_converter.tensors import slabs

ROWS, COLUMNS = 192, 128


class Toy(nn.Module):
    """One linear layer, one embedding, in FP16."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.q_proj = nn.Linear(COLUMNS, ROWS).to(torch.float16)
        self.embed_tokens = nn.Embedding(ROWS, COLUMNS).to(torch.float16)


def save_adapter(folder: Path, **options: Any) -> Path:
    """An adapter of the toy, every trained tensor moved off its start."""
    settings: dict[str, Any] = {"r": 8, "lora_alpha": 20, "target_modules": ["q_proj"]}
    adapted = get_peft_model(Toy(), LoraConfig(**(settings | options)))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if parameter.requires_grad and "magnitude" in name:
                parameter.mul_(1 + 0.1 * torch.randn_like(parameter))
            elif parameter.requires_grad:
                parameter.normal_(0, 0.05)
    adapted.save_pretrained(folder)
    return folder


def merged_by_peft(folder: Path, weight: str) -> torch.Tensor:
    return PeftModel.from_pretrained(Toy(), folder).merge_and_unload().state_dict()[weight]


def merged_by_us(folder: Path, weight: str, cuts: list[tuple[int, int]]) -> torch.Tensor:
    base, adapter = Toy().state_dict()[weight], Adapter(folder)
    with torch.inference_mode():
        return torch.cat([adapter.apply(weight, base[a:b].clone(), a, b) for a, b in cuts])


KINDS = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "pattern": {"alpha_pattern": {"q_proj": 3}, "rank_pattern": {"q_proj": 4}},
}


@pytest.mark.parametrize("cuts", [[(0, ROWS)], [(0, 64), (64, 128), (128, ROWS)]], ids=["whole", "slabs"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_merged_layer_has_pefts_bits(kind: str, cuts: list[tuple[int, int]], tmp_path: Path) -> None:
    folder = save_adapter(tmp_path, **KINDS[kind])

    given = merged_by_us(folder, "q_proj.weight", cuts)

    assert torch.equal(given, merged_by_peft(folder, "q_proj.weight"))
    assert not torch.equal(given, Toy().state_dict()["q_proj.weight"])


def test_a_merged_embedding_has_pefts_bits(tmp_path: Path) -> None:
    folder = save_adapter(tmp_path, target_modules=["embed_tokens"])

    given = merged_by_us(folder, "embed_tokens.weight", [(0, ROWS)])

    assert torch.equal(given, merged_by_peft(folder, "embed_tokens.weight"))


def test_a_tensor_without_a_place_is_refused(tmp_path: Path) -> None:
    adapter = Adapter(save_adapter(tmp_path))
    adapter.check_fits("some_other_module.weight", (ROWS, COLUMNS))

    with pytest.raises(LoragError, match=r"no place for 2 adapter tensors.*q_proj") as refusal:
        adapter.require_all_placed()

    assert refusal.value.reason is Reason.ADAPTER_MISMATCH


def test_all_tensors_placed_is_no_error(tmp_path: Path) -> None:
    adapter = Adapter(save_adapter(tmp_path))
    adapter.check_fits("q_proj.weight", (ROWS, COLUMNS))
    adapter.require_all_placed()


@pytest.mark.parametrize("shape", [(ROWS + 1, COLUMNS), (ROWS, COLUMNS + 1)])
def test_other_shapes_are_refused_by_name(shape: tuple[int, int], tmp_path: Path) -> None:
    adapter = Adapter(save_adapter(tmp_path))

    with pytest.raises(LoragError) as refusal:
        adapter.check_fits("q_proj.weight", shape)

    assert refusal.value.reason is Reason.ADAPTER_MISMATCH
    assert "q_proj.weight" in refusal.value.message
    assert str(list(shape)) in refusal.value.message
    assert f"[{ROWS}, {COLUMNS}]" in refusal.value.message


@pytest.mark.parametrize(
    "change",
    [{"peft_type": "LOHA"}, {"fan_in_fan_out": True}, {"layer_replication": [[0, 1]]}],
    ids=lambda c: next(iter(c)),
)
def test_what_cannot_be_merged_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    config = save_adapter(tmp_path) / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))

    with pytest.raises(LoragError, match=r"LOHA|fan_in_fan_out|layer_replication") as refusal:
        Adapter(tmp_path)

    assert refusal.value.reason is Reason.ADAPTER_MISMATCH


def test_a_saved_module_replaces_the_bases(tmp_path: Path) -> None:
    weights = save_adapter(tmp_path) / "adapter_model.safetensors"
    tensors = load_file(weights) | {"base_model.model.model.lm_head.modules_to_save.weight": torch.ones(4, 4)}
    save_file(tensors, weights)

    replacement = Adapter(tmp_path).replacement("lm_head.weight")

    assert replacement is not None
    assert tuple(replacement.shape) == (4, 4)


def test_wrappers_do_not_count_in_names() -> None:
    assert canonical("model.language_model.layers.0.mlp.up_proj.weight") == "layers.0.mlp.up_proj.weight"
    assert canonical("model.layers.0.x") == canonical("layers.0.x") == "layers.0.x"


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 4096, 4097, 10_000])
def test_slabs_cover_every_row_once_and_are_never_short(rows: int) -> None:
    cuts = slabs(rows, 1 << 16)

    assert [row for first, last in cuts for row in range(first, last)] == list(range(rows))
    assert all(last - first >= min(64, rows) for first, last in cuts)
