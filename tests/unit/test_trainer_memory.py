"""The estimate: weights are counted as the model has them, and the arithmetic holds against published measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lorag_common.errors import LoragError, Reason
from lorag_trainer.datasets import DatasetInfo
from lorag_trainer.estimate import GIB, choose_ranks, estimate, step_plan
from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.machine import Machine
from lorag_trainer.memory import StepPlan, memory_parts
from lorag_trainer.ranks import Ranks
from lorag_trainer.shape import Shape, shape_of

QWEN_32B: dict[str, Any] = {
    "model_type": "qwen2",
    "hidden_size": 5120,
    "num_hidden_layers": 64,
    "num_attention_heads": 40,
    "num_key_value_heads": 8,
    "intermediate_size": 27648,
    "vocab_size": 152064,
    "tie_word_embeddings": False,
}
YI_34B: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 7168,
    "num_hidden_layers": 60,
    "num_attention_heads": 56,
    "num_key_value_heads": 8,
    "intermediate_size": 20480,
    "vocab_size": 64000,
    "tie_word_embeddings": False,
}
LLAMA_2_7B: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "intermediate_size": 11008,
    "vocab_size": 32000,
    "tie_word_embeddings": False,
}
DATASET = DatasetInfo("0" * 64, "d", 1, 1000, "chat", 0.0, 1000, 8000, text_bytes=6_000_000)
TWO = Machine(vram=(24 * GIB, 24 * GIB), ram=64 * GIB)
CONTEXT = TrainingSettings.parse({"max_length": 2048, "batch_size": 1})


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shape]:
    kept = tmp_path_factory.mktemp("shapes")
    configs = {"qwen": QWEN_32B, "yi": YI_34B, "llama": LLAMA_2_7B}
    return {name: shape_of(config, kept) for name, config in configs.items()}


def test_weights_are_counted_as_the_model_has_them(shapes: dict[str, Shape]) -> None:
    shape = shapes["qwen"]

    # Published: 32.8 B parameters, 31.0 B of them outside of the embeddings.
    assert shape.weights == pytest.approx(32.76e9, rel=0.001)
    assert shape.linear_weights == pytest.approx(31.2e9, rel=0.01)
    # 16 x (inputs + outputs) of the seven linear layers of each of 64 blocks.
    plan = step_plan(shape, DATASET, TrainingSettings(), Ranks(1, "single", "cuda"))
    assert plan.adapter_weights == 134_217_728


def test_the_count_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {**LLAMA_2_7B, "num_hidden_layers": 1, "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 10}
    first = shape_of(small, tmp_path)
    monkeypatch.setattr("subprocess.run", None)

    assert shape_of(small, tmp_path) == first


def test_what_is_no_causal_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(LoragError) as caught:
        shape_of({"model_type": "nonsense"}, tmp_path)

    assert caught.value.reason is Reason.ARCHITECTURE_UNSUPPORTED
    assert "nonsense" in caught.value.message


@pytest.mark.parametrize(
    ("base", "batch", "shards", "quantized", "measured"),
    [
        ("yi", 2, 2, "nf4", 23.05),
        ("llama", 1, 2, "nf4", 5.21),
        ("llama", 4, 2, "nf4", 11.22),
        ("llama", 8, 1, "nf4", 20.94),
        ("llama", 4, 2, "none", 16.14),
        ("llama", 6, 2, "none", 21.35),
    ],
)
def test_published_peaks_are_predicted_within_ten_percent(
    shapes: dict[str, Shape], base: str, batch: int, shards: int, quantized: str, measured: float
) -> None:
    """AnswerDotAI/fsdp_qlora, benchmarks_03_2024.md: peak GiB reserved on two GPUs at context 2048.

    Its script: LoRA r=64 with dropout on all linear layers but o_proj, AdamW in bf16, gradient checkpointing, logits
    made whole. (Its Llama at batch 10, at the edge of the memory, is 11 % below the formula.)
    """
    shape = shapes[base]
    plan = StepPlan(
        tokens=batch * 2048,
        longest=2048,
        compute_bytes=2,
        quantized=quantized,
        adapted=tuple(m for m in shape.linear if m.name != "o_proj"),
        r=64,
        optimizer_bytes=4.0,
        shards=shards,
        dropout=True,
        fused_head=False,
    )

    assert sum(memory_parts(shape, plan).values()) / GIB == pytest.approx(measured, rel=0.10)


def test_32b_fits_two_gpus_of_24_gib(shapes: dict[str, Shape]) -> None:
    found = estimate(shapes["qwen"], DATASET, CONTEXT, TWO, 100 * GIB)

    assert (found.strategy, found.gpu_count, found.fits) == ("fsdp", 2, True)
    assert found.vram_bytes <= 22 * GIB
    assert sum(found.parts.values()) == found.vram_bytes


def test_what_does_not_fit_is_told_with_a_way_out(shapes: dict[str, Shape]) -> None:
    plain = TrainingSettings.parse({"use_qlora": False, "max_length": 4096, "batch_size": 4})

    whole = estimate(shapes["qwen"], DATASET, plain, TWO, 100 * GIB)

    assert not whole.fits
    assert any("use_qlora" in line for line in whole.advice)
    assert any("batch_size to 1" in line for line in whole.advice)


def test_the_gpus_share_as_it_fits(shapes: dict[str, Shape]) -> None:
    small, large = shapes["llama"], shapes["yi"]
    one = Machine((24 * GIB,), 64 * GIB)
    long = TrainingSettings.parse({"max_length": 2048, "batch_size": 2})
    once = TrainingSettings.parse({"gradient_accumulation": 1})

    def chosen(shape: Shape, settings: TrainingSettings, machine: Machine) -> tuple[str, int]:
        ranks = choose_ranks(shape, DATASET, settings, machine)
        return ranks.strategy, ranks.world

    assert chosen(small, CONTEXT, one) == ("single", 1)
    assert chosen(small, CONTEXT, TWO) == ("ddp", 2)
    assert chosen(small, once, TWO) == ("single", 1)
    assert chosen(large, long, TWO) == ("fsdp", 2)
    assert chosen(small, CONTEXT.model_copy(update={"strategy": "fsdp"}), TWO) == ("fsdp", 2)
    assert chosen(large, CONTEXT, Machine((), 64 * GIB)) == ("single", 1)


def test_without_a_gpu_the_memory_is_main_memory(shapes: dict[str, Shape]) -> None:
    found = estimate(shapes["qwen"], DATASET, TrainingSettings(), Machine((), 8 * GIB), GIB)

    assert (found.device, found.vram_bytes, found.fits) == ("cpu", 0, False)
    assert sum(found.parts.values()) == found.ram_bytes
    assert any("disk" in line for line in found.advice)


def test_an_earlier_training_tells_the_time(shapes: dict[str, Shape]) -> None:
    guessed, known = (
        estimate(shapes["llama"], DATASET, CONTEXT, TWO, 100 * GIB, speed).seconds for speed in (0.0, 500.0)
    )

    assert guessed > 0
    # 357 steps of 8 examples; 6000 bytes an example, and the template's tokens.
    assert known == pytest.approx(357 * 8 * (6000 / 3 + 64) / 500, rel=0.01)
