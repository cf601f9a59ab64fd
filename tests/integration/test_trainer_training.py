"""Trainings of a tiny model in real NF4, on CPU: packing, resuming, stopping, several processes, memory and disk."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

from lorag_trainer.adjust import Adjustments
from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.model import load_base
from lorag_trainer.probe import isolates
from tests.integration.tiny_training import Training, make_base


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    make_base(root / "tiny")
    return root


@pytest.fixture(autouse=True)
def roots(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORAG_MODEL_ROOTS", str(models))


def furthest(a: dict[str, Any], b: dict[str, Any]) -> float:
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a)


ROWS = [
    {"input_ids": list(range(5, 25)), "labels": [-100] * 8 + list(range(13, 25))},
    {"input_ids": list(range(40, 90)), "labels": [-100] * 20 + list(range(60, 90))},
    {"input_ids": list(range(7, 17)), "labels": list(range(7, 17))},
]


def losses(model: Any, rows: list[dict[str, list[int]]]) -> list[float]:
    """Each row's summed loss, read from one padding-free sequence of all of them."""
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    inputs = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)(rows)
    labels = inputs.pop("labels")
    with torch.no_grad():
        logits = model(**inputs, use_cache=False).logits
    each = torch.nn.functional.cross_entropy(logits[0, :-1], labels[0, 1:], ignore_index=-100, reduction="none")
    ends = list(itertools.accumulate(len(row["input_ids"]) for row in rows))
    return [float(each[begin : end - 1].sum()) for begin, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize("use_qlora", [True, False])
def test_an_examples_loss_is_the_same_packed_and_alone(models: Path, use_qlora: bool) -> None:
    model = load_base(models / "tiny", TrainingSettings.parse({"use_qlora": use_qlora}))

    packed = losses(model, ROWS)
    alone = [losses(model, [row])[0] for row in ROWS]

    assert packed == pytest.approx(alone, rel=1e-5)


def test_a_model_that_attends_across_examples_is_found_out(models: Path) -> None:
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    model = load_base(models / "tiny", TrainingSettings())
    collate = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)

    def without_positions(rows: list[Any]) -> dict[str, Any]:
        return {"input_ids": collate(rows)["input_ids"]}

    assert isolates(model, ROWS, collate)
    assert not isolates(model, ROWS, without_positions)


@pytest.mark.parametrize("settings", [{"packing": True}, {"packing": False, "batch_size": 2}])
def test_packing_or_not_a_step_learns_the_same_examples(tmp_path: Path, models: Path, settings: dict[str, Any]) -> None:
    """All examples in one step: the update does not depend on how they are laid out."""
    whole = {"max_steps": 2, "heldout_fraction": 0, "gradient_accumulation": 20, "use_qlora": False}
    plain = Training(tmp_path / "plain", models, {**whole, "packing": False, "batch_size": 1})
    other = Training(
        tmp_path / "other",
        models,
        {**whole, **settings, "gradient_accumulation": 10 if "batch_size" in settings else 20},
    )

    assert furthest(plain.weights(plain.fit()), other.weights(other.fit())) < 1e-4


LONG = {"max_steps": 30, "checkpoint_steps": 10, "heldout_fraction": 0.2, "lora_dropout": 0.1, "packing": False}


@pytest.mark.parametrize(("use_qlora", "tolerance"), [(False, 0.0), (True, 2e-3)])
def test_after_kill_9_a_training_ends_as_if_uninterrupted(
    tmp_path: Path, models: Path, use_qlora: bool, tolerance: float
) -> None:
    whole = Training(tmp_path / "whole", models, {**LONG, "use_qlora": use_qlora})
    killed = Training(tmp_path / "killed", models, {**LONG, "use_qlora": use_qlora})
    expected = whole.fit()

    killed.run_until_killed(step=14)
    at = killed.steps()[-1]
    found = killed.fit()

    assert 14 <= at < 30
    assert [row["loss"] for row in killed.metrics() if "loss" in row] == pytest.approx(
        [row["loss"] for row in whole.metrics() if "loss" in row], abs=tolerance
    )
    assert killed.steps() == list(range(1, 31))
    assert furthest(whole.weights(expected), killed.weights(found)) <= tolerance


def test_training_stops_early_and_the_best_checkpoint_is_kept(tmp_path: Path, models: Path) -> None:
    # Examples that share nothing: what is learned of them by heart makes the held-out ones worse.
    noise = torch.Generator().manual_seed(1)
    digits = ["".join(str(d) for d in torch.randint(0, 10, (24,), generator=noise).tolist()) for _ in range(24)]
    examples = [{"prompt": f"{n}", "completion": text} for n, text in enumerate(digits)]
    settings = {
        "max_steps": 400,
        "checkpoint_steps": 5,
        "early_stopping_patience": 2,
        "heldout_fraction": 0.4,
        "learning_rate": 2e-2,
        "r": 16,
    }
    training = Training(tmp_path, models, settings, examples)

    result = training.fit()

    card = training.card(result)
    evaluated = {row["step"]: row["eval_loss"] for row in training.metrics() if "eval_loss" in row}
    best = min(evaluated, key=lambda step: evaluated[step])
    assert card["steps"] == best + 10 < 400
    assert card["heldout_loss"] == evaluated[best]
    assert any("stopped early" in note for note in card["notes"])
    assert any(f"that of step {best}" in note for note in card["notes"])
    assert (training.data / result["adapter"] / "loss.svg").read_text().startswith("<svg")


def test_a_longest_step_is_tried_first_and_changes_nothing(tmp_path: Path, models: Path, monkeypatch: Any) -> None:
    settings = {"max_steps": 3, "heldout_fraction": 0.2, "lora_dropout": 0.3, "use_qlora": False}
    tried = Training(tmp_path / "tried", models, settings)
    with_probe = tried.weights(tried.fit())
    assert "probing" in [event["stage"] for event in tried.events()]

    monkeypatch.setattr("lorag_trainer.fit.try_longest", lambda trainer: None)
    untried = Training(tmp_path / "untried", models, settings)

    assert furthest(with_probe, untried.weights(untried.fit())) == 0.0


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_learn_what_one_learns(tmp_path: Path, models: Path, strategy: str) -> None:
    settings = {"max_steps": 4, "heldout_fraction": 0.2, "checkpoint_steps": 2, "packing": False}
    alone = Training(tmp_path / "alone", models, {**settings, "strategy": "single"})
    shared = Training(tmp_path / "shared", models, {**settings, "strategy": strategy})

    expected, found = alone.fit(), shared.run()

    assert shared.card(found)["processes"] == 2
    assert shared.card(found)["heldout_loss"] == pytest.approx(alone.card(expected)["heldout_loss"], abs=2e-3)
    assert furthest(alone.weights(expected), shared.weights(found)) < 2e-3
    assert shared.steps() == [1, 2, 3, 4]


def test_every_knob_trains(tmp_path: Path, models: Path) -> None:
    settings = {
        "max_steps": 2,
        "use_rslora": True,
        "use_dora": True,
        "neftune_alpha": 5.0,
        "target_modules": "q_proj, down_proj",
        "scheduler": "cosine_with_restarts",
        "gradient_checkpointing": True,
        "weight_decay": 0.01,
        "optimizer": "adamw_8bit",
        "learn": "completion",
    }
    training = Training(tmp_path, models, settings)

    weights = training.weights(training.fit())

    layers = {name.split(".lora_")[0].rpartition(".")[2] for name in weights}
    assert layers == {"q_proj", "down_proj"}
    assert any("lora_magnitude_vector" in name for name in weights)


def test_a_layer_that_the_base_has_not_is_named(tmp_path: Path, models: Path) -> None:
    training = Training(tmp_path, models, {"max_steps": 1, "target_modules": "q_proj,query"})

    with pytest.raises(Exception, match="'query'; it has down_proj, gate_proj"):
        training.fit()


def test_plain_text_is_trained_on_and_held_out(tmp_path: Path, models: Path) -> None:
    examples = [{"text": f"{n}頁。本文である。" * 3} for n in range(10)]
    training = Training(tmp_path, models, {"max_steps": 2, "heldout_fraction": 0.2, "max_length": 64}, examples)

    result = training.fit()

    lines = (training.data / result["adapter"] / "heldout.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert all(line.startswith('{"text": ') for line in lines)


def test_a_full_disk_leaves_the_last_checkpoint_and_training_goes_on(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write of the second checkpoint finds no room, as a full disk would say it."""
    import errno

    from trl import SFTTrainer

    training = Training(tmp_path, models, {"max_steps": 6, "checkpoint_steps": 2, "heldout_fraction": 0})
    save, kept = SFTTrainer._save_checkpoint, []

    def full_at_four(self: Any, model: Any, trial: Any) -> None:
        save(self, model, trial)
        if self.state.global_step == 4:
            (Path(self.args.output_dir) / "checkpoint-4" / "optimizer.pt").unlink()
            raise OSError(errno.ENOSPC, "No space left on device")
        kept.append(sorted(p.name for p in Path(self.args.output_dir).glob("checkpoint-*")))

    monkeypatch.setattr(SFTTrainer, "_save_checkpoint", full_at_four)
    training.fit()

    assert kept == [["checkpoint-2"], ["checkpoint-2", "checkpoint-6"]]
    said = [event["message"] for event in training.events() if "disk is full" in event["message"]]
    assert said == ["the disk is full: this checkpoint was left out, the one before it is kept"]
    assert training.steps() == list(range(1, 7))


def test_the_ladder_goes_down_rung_by_rung_and_ends() -> None:
    asked = TrainingSettings.parse({"batch_size": 3, "gradient_accumulation": 4})
    now, rungs = Adjustments(), []
    while (lower := now.descend(asked, "Memory ran out.")) is not None:
        now = lower
        settings = now.apply(asked)
        rungs.append(
            (settings.batch_size, settings.gradient_accumulation, settings.gradient_checkpointing, now.offload)
        )

    assert rungs == [
        (3, 4, None, False),
        (2, 6, None, False),
        (1, 12, None, False),
        (1, 12, True, False),
        (1, 12, True, True),
    ]
    assert len(now.notes) == 5
