"""What the converter refuses before any work, and with which words."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from lorag_common.errors import LoragError, Reason
from lorag_common.settings import ServiceSettings
from lorag_converter import ggml, pre_tokenizer, sources, vendor
from lorag_converter.checks import require_architecture, require_unquantized


def base_of(folder: Path, tensors: dict[str, torch.Tensor] | None = None, **config: Any) -> Path:
    """A base model's folder with just enough in it to be looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"architectures": ["Qwen2ForCausalLM"]} | config))
    save_file(tensors or {"model.norm.weight": torch.ones(4)}, folder / "model.safetensors")
    return folder


def adapter_of(folder: Path, base: str = "base") -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    return folder


def test_an_ordinary_base_passes(tmp_path: Path) -> None:
    require_unquantized(base_of(tmp_path))
    assert require_architecture(tmp_path) == "Qwen2ForCausalLM"


@pytest.mark.parametrize("name", ["weight.absmax", "weight.quant_map", "weight.quant_state.bitsandbytes__nf4", "SCB"])
def test_a_quantized_base_is_known_by_its_tensors(name: str, tmp_path: Path) -> None:
    base = base_of(tmp_path, {f"model.layers.0.mlp.up_proj.{name}": torch.ones(4)})

    with pytest.raises(LoragError, match=name) as refusal:
        require_unquantized(base)

    assert refusal.value.reason is Reason.BASE_MODEL_QUANTIZED
    assert "unquantized" in refusal.value.remedy


def test_a_quantized_base_is_known_by_its_configuration(tmp_path: Path) -> None:
    base = base_of(tmp_path, quantization_config={"quant_method": "bitsandbytes"})

    with pytest.raises(LoragError, match=r"by bitsandbytes.*absmax"):
        require_unquantized(base)


def test_a_null_quantization_config_means_none(tmp_path: Path) -> None:
    require_unquantized(base_of(tmp_path, quantization_config=None))


def test_an_unsupported_architecture_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoragError, match="NoSuchForCausalLM") as refusal:
        require_architecture(base_of(tmp_path, architectures=["NoSuchForCausalLM"]))

    assert refusal.value.reason is Reason.ARCHITECTURE_UNSUPPORTED


def test_a_damaged_header_is_named(tmp_path: Path) -> None:
    (base_of(tmp_path) / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0 not a header ")

    with pytest.raises(LoragError, match=r"model\.safetensors") as refusal:
        require_unquantized(tmp_path)

    assert refusal.value.reason is Reason.BASE_MODEL_UNREADABLE


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    (base_of(tmp_path) / "model.safetensors").unlink()

    with pytest.raises(LoragError, match=r"no \.safetensors"):
        require_unquantized(tmp_path)


def test_an_unknown_type_is_answered_with_the_known_ones() -> None:
    with pytest.raises(LoragError) as refusal:
        ggml.file_type("Q4_K_XXL")

    assert refusal.value.reason is Reason.QUANTIZATION_UNKNOWN
    for name in ("F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "Q3_K_M"):
        assert name in refusal.value.message


def split_by(*patterns: str) -> dict[str, Any]:
    parts = [{"type": "Split", "pattern": {"Regex": p}} for p in patterns]
    return {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [*parts, {"type": "ByteLevel"}]}}


@pytest.mark.parametrize("pattern", pre_tokenizer.FAMILIES)
def test_a_family_is_known_by_its_pattern(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(split_by(pattern)))

    assert pre_tokenizer.by_pattern(tmp_path) == pre_tokenizer.FAMILIES[pattern]


@pytest.mark.parametrize("tokenizer", [split_by(r"\w+"), {"pre_tokenizer": None}], ids=["other", "none"])
def test_an_unknown_pattern_is_an_error_and_no_guess(tokenizer: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))

    with pytest.raises(LoragError) as refusal:
        pre_tokenizer.by_pattern(tmp_path)

    assert refusal.value.reason is Reason.ARCHITECTURE_UNSUPPORTED


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    base_of(tmp_path / "models" / "base")
    return ServiceSettings(data=tmp_path / "data", model_roots=[tmp_path / "models"])


def resolve(settings: ServiceSettings, path: str = "", base_only: bool = False, base: str = "") -> sources.Source:
    return sources.resolve(settings, path=path, base_only=base_only, base_model=base)


def test_the_newest_adapter_is_found_by_itself(settings: ServiceSettings) -> None:
    for age, name in ((300, "lora_b"), (100, "lora_a"), (200, "lora_c")):
        folder = adapter_of(settings.data / "outputs" / name / sources.FINAL)
        stamp = folder.stat().st_mtime - age
        os.utime(folder, (stamp, stamp))

    found = resolve(settings)

    assert found.adapter == settings.data / "outputs" / "lora_a" / sources.FINAL
    assert found.base == "base"


def test_no_adapter_at_all_is_an_error(settings: ServiceSettings) -> None:
    with pytest.raises(LoragError) as refusal:
        resolve(settings)

    assert refusal.value.reason is Reason.ADAPTER_NOT_FOUND


def test_an_adapter_outside_the_allowed_folders_is_not_read(settings: ServiceSettings, tmp_path: Path) -> None:
    outside = adapter_of(tmp_path / "outside")

    for path in (str(outside), "../outside"):
        with pytest.raises(LoragError) as refusal:
            resolve(settings, path=path)
        assert refusal.value.reason is Reason.ADAPTER_NOT_FOUND


def test_the_base_alone_needs_a_name(settings: ServiceSettings) -> None:
    with pytest.raises(LoragError) as refusal:
        resolve(settings, base_only=True)

    assert refusal.value.reason is Reason.INVALID_FIELD
    assert resolve(settings, base_only=True, base="base") == sources.Source("base", None)


def test_a_missing_base_is_named(settings: ServiceSettings) -> None:
    with pytest.raises(LoragError, match="nowhere") as refusal:
        resolve(settings, base_only=True, base="nowhere")

    assert refusal.value.reason is Reason.BASE_MODEL_NOT_FOUND


def test_another_source_than_the_pinned_one_is_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "other.tar.gz").write_bytes(b"something else")

    with pytest.raises(LoragError, match=vendor.SDIST_SHA256) as refusal:
        vendor.unpack(tmp_path / "other.tar.gz", tmp_path / "target")

    assert refusal.value.reason is Reason.TOOLS_MISSING
    assert not (tmp_path / "target").exists()


def test_a_missing_mapping_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORAG_LLAMA_CPP", str(tmp_path))

    with pytest.raises(LoragError) as refusal:
        vendor.activate()

    assert refusal.value.reason is Reason.TOOLS_MISSING
    assert "make setup" in refusal.value.remedy
