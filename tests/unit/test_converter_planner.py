"""The arithmetic of GPU memory, held to published figures of Qwen2.5-32B."""

from __future__ import annotations

import pytest

from lorag_converter.planner import kv_bytes_per_token, largest, plan

QWEN_32B = {
    "hidden_size": 5120,
    "intermediate_size": 27648,
    "num_hidden_layers": 64,
    "num_attention_heads": 40,
    "num_key_value_heads": 8,
    "vocab_size": 152064,
}
PARAMETERS = 32_763_876_352
A5000 = 24564 << 20


def test_kv_cache_of_a_token() -> None:
    assert kv_bytes_per_token(QWEN_32B) == 256 << 10


@pytest.mark.parametrize(("name", "gigabytes"), [("Q4_K_M", 19.9), ("Q5_K_M", 23.3), ("Q6_K", 26.9), ("Q8_0", 34.8)])
def test_sizes_are_the_published_ones(name: str, gigabytes: float) -> None:
    rows = {r.quantization: r for r in plan(PARAMETERS, QWEN_32B, [A5000] * 2, context=1, parallel=1)}
    assert rows[name].weight_bytes / 1e9 == pytest.approx(gigabytes, rel=0.01)


@pytest.mark.parametrize(
    ("gpus", "context", "parallel", "wanted"),
    [(2, 32768, 1, "Q8_0"), (2, 32768, 2, "Q6_K"), (1, 8192, 1, "Q4_K_M"), (1, 131072, 1, ""), (4, 8192, 1, "F16")],
)
def test_the_largest_type_that_fits(gpus: int, context: int, parallel: int, wanted: str) -> None:
    rows = plan(PARAMETERS, QWEN_32B, [A5000] * gpus, context=context, parallel=parallel)
    assert largest(rows) == wanted
    assert [r.weight_bytes for r in rows] == sorted((r.weight_bytes for r in rows), reverse=True)
