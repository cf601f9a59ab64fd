from __future__ import annotations

from pathlib import Path

import pytest

from lorag_indexer import fusion_measure
from lorag_indexer.chunks import Chunk, ChunkSettings
from lorag_indexer.fusion import Leg
from lorag_indexer.pages import PageState, PageText
from lorag_indexer.probes import Probe, from_documents, generated, given

CHUNKS = [Chunk(f"d:{n}:0", "d", n, 0, 1, "x") for n in range(30)]


def ranked(first: int) -> Leg:
    """A leg whose best is chunk `first`."""
    rest = [c for c in CHUNKS if c.page != first][:20]
    return [(CHUNKS[first], 1.0), *((c, 0.9 - 0.01 * n) for n, c in enumerate(rest))]


def measured(right_by_vectors: int, right_by_keywords: int, questions: int = 20) -> fusion_measure.Measurement:
    """Each leg puts the right chunk first for so many of the questions, counted from opposite ends."""
    probes = given([{"question": str(n), "document_id": "d", "page": n} for n in range(1, questions + 1)])

    def legs(question: str) -> tuple[Leg, Leg]:
        n, order = int(question), int(question) - 1
        wrong = 29
        nearest = ranked(n if order < right_by_vectors else wrong)
        matching = ranked(n if order >= questions - right_by_keywords else wrong)
        without = (
            [pair for pair in matching if pair[0].page != n] if order < questions - right_by_keywords else matching
        )
        unseen = [pair for pair in nearest if pair[0].page != n] if order >= right_by_vectors else nearest
        return unseen, without

    return fusion_measure.measure(probes, legs, "given", 1.0, 30)


def test_a_leg_that_hurts_is_switched_off_with_a_warning() -> None:
    m = measured(0, 20)
    assert (m.vector_weight, m.vector_ndcg, m.keyword_ndcg, m.hybrid_ndcg) == (0.0, 0.0, 1.0, 1.0)
    assert "not used" in m.warning
    assert [w for w, _ in m.curve] == list(fusion_measure.WEIGHTS)


def test_a_leg_that_is_better_takes_over() -> None:
    m = measured(20, 2)
    assert m.vector_weight > 0.5
    assert m.hybrid_ndcg == pytest.approx(1.0)
    assert m.warning == ""


def test_a_gain_within_the_noise_does_not_count() -> None:
    m = measured(1, 19)
    assert m.vector_weight == 0.0


def test_a_measurement_is_kept_beside_its_index(tmp_path: Path) -> None:
    m = measured(5, 15)
    assert fusion_measure.load(tmp_path, "chunks") is None
    fusion_measure.save(tmp_path, "chunks", m)
    assert fusion_measure.load(tmp_path, "chunks") == m
    assert fusion_measure.load(tmp_path, "other") is None


def test_what_a_question_was_taken_from_is_hidden() -> None:
    text = "".join(f"倉庫の{n}番の棚には歯車の部品が{n}個だけ置かれている。" for n in range(12))
    settings = ChunkSettings(characters=60, overlap=0)
    probes = from_documents([PageText(1, PageState.TEXT, text, text, "pypdf")], ["d"], settings, "seed")
    (probe,) = probes
    assert probe.question in text
    assert probe.hidden and probe.chunks and not probe.hidden & probe.chunks
    assert from_documents([PageText(1, PageState.TEXT, text, text, "pypdf")], ["d"], settings, "seed") == probes


def test_a_model_that_writes_no_single_question_is_not_listened_to() -> None:
    pages = [PageText(n, PageState.TEXT, "休暇は12日である。", "", "pypdf") for n in range(1, 4)]
    answers = iter(["<think>考える</think>\n休暇は何日ですか。", "質問1\n質問2", ""])
    found = list(generated(pages, ["d"] * 3, lambda _: next(answers), "seed", lambda: None))
    assert [p.question for p in found] == ["休暇は何日ですか。"]
    assert isinstance(found[0], Probe)
