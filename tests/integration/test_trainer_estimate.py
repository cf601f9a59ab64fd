"""The estimate against what a training on CPU really holds: bytes to the byte, and the peak of the process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lorag_trainer.estimate import estimate, read_config, step_plan
from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.machine import this_machine
from lorag_trainer.memory import memory_parts, packed_bytes
from lorag_trainer.ranks import Ranks
from lorag_trainer.shape import shape_of
from tests.integration.tiny_training import Training, make_base

SHAPES: dict[str, dict[str, int]] = {
    "narrow": {},
    "deep": {"num_hidden_layers": 5, "hidden_size": 128, "num_attention_heads": 8, "num_key_value_heads": 8},
    "wide": {"intermediate_size": 640, "hidden_size": 192, "num_attention_heads": 6, "num_key_value_heads": 2},
}
CPU = Ranks(1, "single", "cpu")


def of_tensors(tensors: Any) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


@pytest.mark.parametrize(("name", "settings"), [("narrow", {}), ("deep", {"r": 8}), ("wide", {"use_qlora": False})])
def test_weights_adapter_gradients_and_optimizer_are_estimated_to_the_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, Any]
) -> None:
    from lorag_trainer import fit

    make_base(tmp_path / "models" / name, **SHAPES[name])
    monkeypatch.setenv("LORAG_MODEL_ROOTS", str(tmp_path / "models"))
    training = Training(tmp_path, tmp_path / "models", {"max_steps": 1, **settings}, base=name)
    parsed = TrainingSettings.parse(json.loads((training.folder / "spec.json").read_text())["settings"])
    shape = shape_of(read_config(tmp_path / "models" / name))
    held: dict[str, int] = {}
    publish = fit.publish

    def measure(job: Any, base: Any, asked: Any, model: Any, *rest: Any) -> Any:
        learned = [p for p in model.parameters() if p.requires_grad]
        held["base"] = of_tensors(p for p in model.parameters() if not p.requires_grad)
        held["adapter"] = of_tensors(learned)
        return publish(job, base, asked, model, *rest)

    step = fit.Trainer.training_step

    def with_optimizer(self: Any, *args: Any) -> Any:
        out = step(self, *args)
        held["gradients"] = of_tensors(p.grad for p in self.model.parameters() if p.grad is not None)
        held["moments"] = 2 * of_tensors(p for g in self.optimizer.param_groups for p in g["params"])
        return out

    monkeypatch.setattr(fit, "publish", measure)
    monkeypatch.setattr(fit.Trainer, "training_step", with_optimizer)
    training.fit()

    plan = step_plan(shape, _info(training), parsed, CPU)
    parts = memory_parts(shape, plan)
    assert held["base"] == packed_bytes(shape, plan) + (shape.embeddings + shape.other) * plan.compute_bytes
    assert (held["adapter"], held["gradients"], held["moments"]) == (
        parts["adapter"],
        parts["gradients"],
        parts["optimizer"],
    )


def test_the_peak_of_a_process_with_half_a_gigabyte_of_weights_is_within_a_quarter(tmp_path: Path) -> None:
    shape = {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 9,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
    }
    make_base(tmp_path / "models" / "half", **shape)
    settings = {"max_steps": 2, "use_qlora": False, "heldout_fraction": 0, "gradient_accumulation": 2}
    training = Training(tmp_path, tmp_path / "models", settings, base="half")
    parsed = TrainingSettings.parse(json.loads((training.folder / "spec.json").read_text())["settings"])
    counted = shape_of(read_config(tmp_path / "models" / "half"))
    assert counted.weights * 4 >= 500e6

    training.run()

    expected = estimate(counted, _info(training), parsed, this_machine(), 1 << 40).ram_bytes
    peak = max(row["memory_bytes"] for row in training.metrics() if "memory_bytes" in row)
    assert peak == pytest.approx(expected, rel=0.25), (peak, expected)


def _info(training: Training) -> Any:
    from lorag_trainer.datasets import DatasetStore

    dataset = json.loads((training.folder / "spec.json").read_text())["dataset_id"]
    return DatasetStore(training.data).get(dataset)
