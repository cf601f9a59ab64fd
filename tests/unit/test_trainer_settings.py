"""Settings and estimates: defaults are the contract's, bad values name their field, and the arithmetic is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lorag.trainer.v1 import trainer_pb2 as pb
from lorag_common.errors import LoragError, Reason
from lorag_trainer.checkpoints import newest_complete
from lorag_trainer.estimate import read_config
from lorag_trainer.hyperparameters import TrainingSettings


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
        ("optimizer", "sgd"),
        ("strategy", "deepspeed"),
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


def test_early_stopping_needs_something_to_measure_on() -> None:
    with pytest.raises(LoragError) as caught:
        TrainingSettings.parse({"early_stopping_patience": 2, "heldout_fraction": 0})

    assert "heldout_fraction above 0" in caught.value.message


def test_holding_out_always_leaves_something_to_learn() -> None:
    half = TrainingSettings.parse({"heldout_fraction": 0.5})

    assert [half.heldout_count(n) for n in (1, 2, 10)] == [0, 1, 5]


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
