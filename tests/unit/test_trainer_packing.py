"""Packing: what fits where, and that an optimizer step goes on seeing as many examples as it was told to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.packing import best_fit, packed_rows, plan_packing


def test_the_fullest_sequence_that_still_holds_it_is_taken() -> None:
    assert best_fit([5, 3, 4, 2, 6, 1], length=7) == [[0, 3], [1, 2], [4, 5]]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=200), st.integers(50, 120))
def test_every_example_is_in_one_sequence_and_none_is_too_long(lengths: list[int], length: int) -> None:
    packs = best_fit(lengths, length)

    assert sorted(i for pack in packs for i in pack) == list(range(len(lengths)))
    assert all(sum(lengths[i] for i in pack) <= length for pack in packs)
    # At most one sequence is less than half full, or two of them would have been one.
    assert sum(2 * sum(lengths[i] for i in pack) <= length for pack in packs) <= 1


@pytest.mark.parametrize(
    ("lengths", "settings", "processes", "examples_a_step"),
    [
        ([100] * 240, {}, 1, 8),
        ([300] * 240, {"max_length": 1024}, 1, 8),
        ([300] * 240, {"max_length": 1024}, 2, 8),
        ([2000] * 40, {"batch_size": 2}, 1, 16),
        ([10] * 1000, {"batch_size": 4, "gradient_accumulation": 4}, 1, 16),
    ],
)
def test_a_step_sees_as_many_examples_as_it_was_told(
    lengths: list[int], settings: dict[str, int], processes: int, examples_a_step: int
) -> None:
    parsed = TrainingSettings.parse(settings)
    plan = plan_packing(lengths, parsed, processes)

    seen = plan.accumulation * processes * len(lengths) / len(plan.packs)
    assert seen == pytest.approx(examples_a_step, rel=0.35)
    assert plan.length <= max(parsed.max_length * parsed.batch_size, *lengths)


def test_sequences_keep_their_examples_apart_by_their_lengths() -> None:
    rows = [{"input_ids": [1, 2], "labels": [-100, 2]}, {"input_ids": [3], "labels": [3]}]

    [packed] = packed_rows(rows, plan_packing([2, 1], TrainingSettings()))

    assert packed == {"input_ids": [1, 2, 3], "labels": [-100, 2, 3], "seq_lengths": [2, 1]}
