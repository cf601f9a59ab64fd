from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorag_indexer.chunks import ChunkSettings, chunk_page, sentence_spans


def sentences(text: str) -> list[str]:
    return [text[a:b] for a, b in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("休暇は12日。日当は2,300円！ほんとう？", ["休暇は12日。", "日当は2,300円！", "ほんとう？"]),
        ("「急がず。」と唱えた。終わり。", ["「急がず。」と唱えた。", "終わり。"]),
        ("「急がず。」彼は去った。", ["「急がず。」", "彼は去った。"]),
        ("見出し\n本文である。", ["見出し", "本文である。"]),
        ("Dr. Smith paid 3.50 dollars. He left.", ["Dr. Smith paid 3.50 dollars.", "He left."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("See Fig. 3. The end", ["See Fig. 3.", "The end"]),
        ("  \n ", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_chunks_are_packed_with_whole_sentences() -> None:
    text = "一二三四。五六七八。九十一二。"
    chunks = chunk_page("d", 3, text, ChunkSettings(characters=10, sentences=0, overlap=0))
    assert [c.text for c in chunks] == ["一二三四。五六七八。", "九十一二。"]
    assert [(c.page, c.start, c.end) for c in chunks] == [(3, 0, 10), (3, 10, 15)]
    assert [c.id for c in chunks] == ["d:3:0", "d:3:1"]


def test_a_limit_of_sentences() -> None:
    chunks = chunk_page("d", 1, "あ。い。う。え。お。", ChunkSettings(400, 2, 0))
    assert [c.text for c in chunks] == ["あ。い。", "う。え。", "お。"]


def test_overlap_repeats_the_last_sentence_when_it_is_short() -> None:
    settings = ChunkSettings(characters=12, sentences=0, overlap=1)
    assert [c.text for c in chunk_page("d", 1, "一二三四。五六。七八九十一。二。", settings)] == [
        "一二三四。五六。",
        "五六。七八九十一。二。",
    ]
    long = chunk_page("d", 1, "一二三四五六七八九。一二三四五六七八九。", settings)
    assert [c.text for c in long] == ["一二三四五六七八九。"] * 2


def test_a_sentence_longer_than_a_chunk_is_cut_at_a_comma() -> None:
    chunks = chunk_page("d", 1, "一二三四五六七、八九十一二三四五六七八九十。", ChunkSettings(12, 0, 0))
    assert chunks[0].text == "一二三四五六七、"
    assert all(len(c.text) <= 12 for c in chunks)


def test_a_blank_page_has_no_chunks() -> None:
    assert chunk_page("d", 1, "", ChunkSettings()) == []


@given(
    st.text(alphabet="あ漢。、！」「 \nab.?!A1", max_size=200),
    st.builds(ChunkSettings, st.integers(5, 60), st.integers(0, 3), st.integers(0, 2)),
)
def test_every_character_is_in_a_chunk_and_every_span_is_true(text: str, settings: ChunkSettings) -> None:
    chunks = chunk_page("d", 1, text, settings)
    covered: set[int] = set()
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text
        assert 0 < len(chunk.text) <= settings.characters
        covered |= set(range(chunk.start, chunk.end))
    assert all(i in covered for i, c in enumerate(text) if not c.isspace())
    assert len({c.id for c in chunks}) == len(chunks)
    assert [c.start for c in chunks] == sorted({c.start for c in chunks})
