from __future__ import annotations

from lorag_indexer.pages import PageState, PageText
from lorag_indexer.running_lines import NOTE, RunningLines


def page(number: int, header: str, footer: str, body: list[str], gap: float = 0.05) -> PageText:
    texts = [header, *body, footer]
    tops = [0.05, *(0.07 + gap + 0.02 * n for n in range(len(body))), 0.95]
    lines = tuple((0.1, top, 0.9, top + 0.015) for top in tops)
    raw = "\n".join(texts)
    return PageText(number, PageState.TEXT, raw, raw, "pypdf", lines=lines)


def dropped(pages: list[PageText]) -> list[tuple[int, ...]]:
    running = RunningLines()
    for p in pages:
        running.add(p)
    return [running.of(p) for p in pages]


def test_headers_and_page_numbers_are_found_whatever_number_is_in_them() -> None:
    pages = [page(n, "社内規程集", f"- {n} -", [f"本文の{n}番目である。", "続き。"]) for n in range(1, 6)]
    assert dropped(pages) == [(0, 3)] * 5
    cleaned = pages[2].without_lines((0, 3), NOTE)
    assert cleaned.text == "本文の3番目である。\n続き。"
    assert cleaned.notes == (NOTE,)
    assert cleaned.characters_left_out == 8
    start = cleaned.text.index("続き")
    assert cleaned.boxes(start, start + 3)[0][1] > 0.1


def test_a_sentence_that_differs_only_in_its_number_is_text_when_it_stands_in_the_text() -> None:
    pages = [
        page(n, f"第{n}章の話である。", "", [f"{n}の{m}番目の文。" for m in range(20)], gap=0.0) for n in range(1, 6)
    ]
    assert dropped(pages) == [()] * 5


def test_two_pages_are_too_few_to_tell() -> None:
    assert dropped([page(n, "社内規程集", "1", ["本文。"]) for n in (1, 2)]) == [(), ()]
