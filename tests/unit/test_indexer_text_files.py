from __future__ import annotations

import pytest

from lorag_common.errors import LoragError
from lorag_indexer.text_files import PAGE_CHARACTERS, decode, kind_of, text_pages

TEXT = "有給休暇は12日である。届けは総務部へ出すこと。"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso2022_jp", "cp932", "euc_jp"])
def test_japanese_encodings_are_told_apart(encoding: str) -> None:
    text, found = decode(TEXT.encode(encoding))
    assert text == TEXT
    assert found == encoding.removesuffix("-sig")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "DOCUMENT_EMPTY"),
        (b" \n", "DOCUMENT_EMPTY"),
        (b"a\0b", "TEXT_UNREADABLE"),
        (bytes(range(128, 256)), "TEXT_UNREADABLE"),
    ],
)
def test_what_is_no_text_is_named(content: bytes, reason: str) -> None:
    with pytest.raises(LoragError) as caught:
        decode(content)
    assert caught.value.reason == reason


def test_names_say_the_kind() -> None:
    assert [kind_of(n) for n in ("a.MD", "a.markdown", "a.txt", "a.pdf", "a")] == [
        "markdown",
        "markdown",
        "text",
        "pdf",
        "pdf",
    ]


def test_markdown_is_cut_at_headings_and_never_inside_code() -> None:
    code = "```\n# no heading\n" + "x = 1\n" * 300 + "```\n"
    text = "# 一\n" + "文。" * 900 + "\n" + code + "# 二\n" + "文。" * 900
    pages = [p.text for p in text_pages(text, "markdown", "utf-8")]
    assert [p.split("\n")[0] for p in pages] == ["# 一", "# 二"] or pages[-1].startswith("# 二")
    assert not any(p.startswith("# no heading") for p in pages)
    assert "".join("".join(p.split()) for p in pages) == "".join(text.split())


def test_plain_text_loses_nothing_between_pages() -> None:
    text = "\n\n".join(f"{n}番目の段落である。" * 20 for n in range(60))
    pages = list(text_pages(text, "text", "cp932"))
    assert len(pages) > 2
    assert all(len(p.text) <= PAGE_CHARACTERS for p in pages)
    assert "".join("".join(p.text.split()) for p in pages) == "".join(text.split())
    assert [p.page for p in pages] == list(range(1, len(pages) + 1))
    assert pages[0].notes == ("read as cp932",)
