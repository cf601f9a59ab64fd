"""Settings and estimates: defaults are the contract's, bad values name their field, and the arithmetic is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lorag.trainer.v1 import trainer_pb2 as pb
from lorag_common.errors import LoragError, Reason
from lorag_trainer.checkpoints import newest_complete
from lorag_trainer.datasets import DatasetInfo
from lorag_trainer.estimate import GIB, estimate, read_config, shape_of
from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.machine import Machine

QWEN_32B: dict[str, Any] = {
    "hidden_size": 5120,
    "num_hidden_layers": 64,
    "num_attention_heads": 40,
    "num_key_value_heads": 8,
    "intermediate_size": 27648,
    "vocab_size": 152064,
    "tie_word_embeddings": False,
}
DATASET = DatasetInfo("0" * 64, "d", 1, 100, "chat", 0.0, 100, 8000)


def test_settings_have_the_fields_of_the_contract() -> None:
    assert set(TrainingSettings.model_fields) == {f.name for f in pb.TrainingSettings.DESCRIPTOR.fields}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("r", 0),
        ("lora_alpha", -1),
        ("lora_dropout", 1.0),
        ("learning_rate", float("nan")),
        ("learning_rate", 0.0),
        ("epochs", float("inf")),
        ("scheduler", "zigzag"),
        ("heldout_fraction", 0.6),
        ("max_length", 0),
        ("colour", 1),
    ],
)
def test_a_bad_value_names_its_field(field: str, value: Any) -> None:
    with pytest.raises(LoragError) as caught:
        TrainingSettings.parse({field: value})

    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.field == f"settings.{field}"


@pytest.mark.parametrize(
    ("values", "turns", "steps"),
    [({}, 100, 39), ({"max_steps": 7}, 100, 7), ({"epochs": 0.5, "batch_size": 4}, 3, 1), ({"batch_size": 3}, 10, 3)],
)
def test_steps(values: dict[str, Any], turns: int, steps: int) -> None:
    assert TrainingSettings.parse(values).steps(turns) == steps


def test_holding_out_always_leaves_something_to_learn() -> None:
    half = TrainingSettings.parse({"heldout_fraction": 0.5})

    assert [half.heldout_count(n) for n in (1, 2, 10)] == [0, 1, 5]


def test_weights_are_counted_as_the_model_has_them() -> None:
    shape = shape_of(QWEN_32B)

    # Published: 32.8 B parameters, 31.0 B of them outside of the embeddings.
    assert shape.linear + shape.embeddings == pytest.approx(32.76e9, rel=0.001)
    assert shape.linear == pytest.approx(31.2e9, rel=0.01)
    # 16 x (inputs + outputs) of the seven linear layers of each of 64 blocks.
    assert shape.adapter(16) == 134_217_728


def test_a_32b_qlora_fits_24_gib_twice_and_a_full_precision_one_does_not() -> None:
    machine = Machine(vram=(24 * GIB, 24 * GIB), ram=64 * GIB)
    plain = TrainingSettings.parse({"use_qlora": False})

    quantized = estimate(QWEN_32B, DATASET, TrainingSettings(), machine, 100 * GIB)
    whole = estimate(QWEN_32B, DATASET, plain, machine, 100 * GIB)

    assert quantized.fits, quantized
    assert quantized.vram_bytes > 17 * GIB / 2
    assert not whole.fits
    assert any("use_qlora" in line for line in whole.advice)


def test_without_a_gpu_the_memory_is_main_memory() -> None:
    found = estimate(QWEN_32B, DATASET, TrainingSettings(), Machine((), 8 * GIB), GIB)

    assert (found.device, found.vram_bytes, found.fits) == ("cpu", 0, False)
    assert any("disk" in line for line in found.advice)


def test_a_quantized_base_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"quantization_config": {"quant_method": "gptq"}}')

    with pytest.raises(LoragError) as caught:
        read_config(tmp_path)

    assert caught.value.reason is Reason.BASE_MODEL_QUANTIZED


def test_half_a_checkpoint_is_removed_and_the_newest_whole_one_is_taken(tmp_path: Path) -> None:
    for step in (2, 10, 20, 30):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        for name in ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt"):
            (folder / name).write_bytes(b"x")
        (folder / "trainer_state.json").write_text(f'{{"global_step": {step}}}')
    (tmp_path / "checkpoint-20" / "trainer_state.json").write_text('{"global_step": 2')
    (tmp_path / "checkpoint-30" / "optimizer.pt").unlink()

    assert newest_complete(tmp_path) == tmp_path / "checkpoint-10"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-2"]
