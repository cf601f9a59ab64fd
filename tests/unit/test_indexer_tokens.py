from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from lorag_common.errors import LoragError
from lorag_indexer import tokens
from lorag_indexer.tokens import BIGRAM, BigramTokenizer, SudachiTokenizer, Tokenizer, best_tokenizer, tokenizer_named

KINDS: list[Callable[[], Tokenizer]] = [SudachiTokenizer, BigramTokenizer]


@pytest.mark.parametrize("kind", KINDS)
def test_variants_of_a_text_have_the_same_terms(kind: Callable[[], Tokenizer]) -> None:
    tokenizer = kind()
    assert tokenizer.terms("⻑野県の１２日間、ＡＢＣ") == tokenizer.terms("長野県の12日間、abc")
    assert tokenizer.terms("87,338円") == tokenizer.terms("87338円")


@pytest.mark.parametrize("kind", KINDS)
def test_terms_have_no_white_space_and_a_text_without_words_has_none(kind: Callable[[], Tokenizer]) -> None:
    terms = kind().terms("第3回 OpenAI の\u3000発表、がんばる🙂 don't")
    assert all(t and not any(c.isspace() for c in t) for t in terms)
    assert {"3", "openai", "don", "t", BIGRAM + "発表"} <= set(terms)
    assert kind().terms(" 。、!? \n") == []


def test_sudachi_normalises_spelling_and_drops_particles() -> None:
    terms = SudachiTokenizer().terms
    words = [t for t in terms("引越しの見積りを外国人参政権と比べる") if not t.startswith(BIGRAM)]
    assert words == ["引っ越し", "見積もり", "外国", "人", "参政", "権", "比べる"]
    assert set(terms("附属")) & set(terms("付属"))


def test_bigrams_cross_the_scripts_of_a_compound_but_leave_words_whole() -> None:
    assert BigramTokenizer().terms("第3回 press") == ["3", "press", "第", "回", BIGRAM + "第3", BIGRAM + "3回"]
    assert BigramTokenizer().terms("海") == ["海", BIGRAM + "海"]


def test_a_text_longer_than_sudachi_takes_is_tokenised_in_parts() -> None:
    assert len(SudachiTokenizer().terms("休暇" * 30_000)) > 60_000


def test_threads_share_one_tokenizer() -> None:
    tokenizer = SudachiTokenizer()
    expected, results = tokenizer.terms("有給休暇の日数"), []

    def work() -> None:
        results.extend(tokenizer.terms("有給休暇の日数") == expected for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 200


def test_without_the_dictionary_bigrams_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sudachipy", None)
    assert best_tokenizer().name == "bigram-1"
    with pytest.raises(LoragError, match="dictionary") as caught:
        tokenizer_named("sudachi-a-bigram-1")
    assert "sudachidict-core" in caught.value.remedy


def test_an_index_names_its_tokenizer() -> None:
    assert tokenizer_named("bigram-1").name == "bigram-1"
    assert tokens.best_tokenizer().name == "sudachi-a-bigram-1"
    with pytest.raises(LoragError, match="'other'"):
        tokenizer_named("other")
