"""Text -> search terms, the same for queries and documents.

Japanese is indexed twice over: as Sudachi's shortest units in normalised spelling (so that 引越し finds 引っ越し), and
as character bigrams (so that a compound which the dictionary cuts differently is still found). Words of other scripts
are terms as they are, in lower case. Without the dictionary the bigrams, with single characters, stand alone.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from lorag_common.errors import LoragError, Reason
from lorag_indexer.normalize import CJK, folded

_WORD = re.compile(r"[^\W_]+")
_HAS_CJK = re.compile(rf"[{CJK}]")
_OTHER_SCRIPT = re.compile(rf"[^\W_{CJK}]+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
# Marks a bigram: 東京 the word and 東京 the pair of characters are two terms, each with a frequency of its own.
BIGRAM = "\u2581"
_SUDACHI_CHARACTERS = 8000
_FUNCTION_WORDS = frozenset({"助詞", "助動詞", "補助記号", "記号", "空白"})


@dataclass(frozen=True)
class Token:
    """A term and where it comes from: "word", "morpheme", "bigram" or "character"."""

    term: str
    kind: str


class Tokenizer(Protocol):
    """Cuts text into terms without white space in them."""

    name: str

    def terms(self, text: str) -> list[str]:
        """Terms in order, repeated as often as they occur."""
        ...

    def tokens(self, text: str) -> list[Token]:
        """The same terms, each with where it comes from."""
        ...


class BigramTokenizer:
    """Needs no dictionary."""

    name = "bigram-1"

    def terms(self, text: str) -> list[str]:
        """See `Tokenizer`."""
        text = comparable(text)
        return [*_words(text), *_HAS_CJK.findall(text), *_bigrams(text)]

    def tokens(self, text: str) -> list[Token]:
        """See `Tokenizer`."""
        text = comparable(text)
        return [
            *(Token(t, "word") for t in _words(text)),
            *(Token(t, "character") for t in _HAS_CJK.findall(text)),
            *(Token(t, "bigram") for t in _bigrams(text)),
        ]


class SudachiTokenizer:
    """Sudachi's units of split mode A, normalised, content words only, and bigrams.

    Raises:
        LoragError: CONFIG_INVALID when the dictionary package is not installed.
    """

    name = "sudachi-a-bigram-1"

    def __init__(self) -> None:
        try:
            from sudachipy import Dictionary

            self._dictionary: Any = Dictionary()
        except Exception as error:
            raise LoragError(
                Reason.CONFIG_INVALID,
                f"The Japanese dictionary cannot be opened: {error}",
                remedy="Install sudachidict-core beside the indexer, or reindex without it.",
            ) from error
        self._local = threading.local()

    def terms(self, text: str) -> list[str]:
        """See `Tokenizer`."""
        text = comparable(text)
        return [*_words(text), *self._morphemes(text), *_bigrams(text)]

    def tokens(self, text: str) -> list[Token]:
        """See `Tokenizer`."""
        text = comparable(text)
        return [
            *(Token(t, "word") for t in _words(text)),
            *(Token(t, "morpheme") for t in self._morphemes(text)),
            *(Token(t, "bigram") for t in _bigrams(text)),
        ]

    def _morphemes(self, text: str) -> Iterator[str]:
        tokenizer = self._of_this_thread()
        for begin in range(0, len(text), _SUDACHI_CHARACTERS):
            for morpheme in tokenizer.tokenize(text[begin : begin + _SUDACHI_CHARACTERS]):
                if morpheme.part_of_speech()[0] in _FUNCTION_WORDS or not _HAS_CJK.search(morpheme.surface()):
                    continue
                term = re.sub(r"\s+", "", morpheme.normalized_form().lower())
                if term:
                    yield term

    def _of_this_thread(self) -> Any:
        # A Sudachi tokenizer refuses to be used by two threads at once; the dictionary behind it is shared.
        if not hasattr(self._local, "tokenizer"):
            from sudachipy import SplitMode

            self._local.tokenizer = self._dictionary.tokenizer(SplitMode.A)
        return self._local.tokenizer


def comparable(text: str) -> str:
    """Folded, and without the commas that group the digits of a number."""
    return _THOUSANDS.sub("", folded(text))


def best_tokenizer() -> Tokenizer:
    """Sudachi where its dictionary is installed, else bigrams."""
    try:
        return SudachiTokenizer()
    except LoragError:
        return BigramTokenizer()


def tokenizer_named(name: str) -> Tokenizer:
    """The tokenizer that an index was written with.

    Raises:
        LoragError: CONFIG_INVALID when this version does not have it, or its dictionary is gone.
    """
    for kind in (SudachiTokenizer, BigramTokenizer):
        if kind.name == name:
            return kind()
    raise LoragError(
        Reason.CONFIG_INVALID,
        f"The index was written with the tokenizer '{name}', which this version does not have.",
        remedy="Start a reindex.",
    )


def _words(text: str) -> Iterator[str]:
    """Words and numbers of scripts that are written with spaces."""
    return (m.group() for m in _OTHER_SCRIPT.finditer(text))


def _bigrams(text: str) -> Iterator[str]:
    """Pairs of neighbours in every run that has a CJK character, across 第3回 and Tシャツ too."""
    for match in _WORD.finditer(text):
        run = match.group()
        if not _HAS_CJK.search(run):
            continue
        if len(run) == 1:
            yield BIGRAM + run
        for i in range(len(run) - 1):
            yield BIGRAM + run[i : i + 2]
