"""What a sentence says, as terms that can be compared: numbers, words, and pairs of kanji; Japanese and English.

Japanese is cut where the script changes, and runs of kanji into pairs of neighbours: no dictionary is needed, and a
compound that is written apart elsewhere still shares most of its pairs.
"""

from __future__ import annotations

import re
import unicodedata

RUN = re.compile(
    r"\d+(?:\.\d+)?|[^\W\d_\u3040-\u30ff\u3400-\u9fff々〆]+(?:['’-][^\W\d_]+)*|[ァ-ヴー]+|[\u3400-\u9fff々〆]+"
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
_KANJI_NUMBER = re.compile(r"[〇一二三四五六七八九十百千]+(?=[年月日人円個条回台階歳時分秒名割倍本枚件点冊室])")
_DIGITS = {c: i for i, c in enumerate("〇一二三四五六七八九")}
_UNITS = {"十": 10, "百": 100, "千": 1000}
# Words that hold a sentence together and say nothing of what it is about.
_STOP = """
a an the of in on at to for by with from as and or but is are was were be been being it its this that these those he she
they his her their there has have had do does did will would can could may might shall should which who whom whose what
when where how into than then also about
"""
STOP = frozenset(_STOP.split())


def folded(text: str) -> str:
    """NFKC, lower case, no thousands separators, kanji numbers before a counter as digits."""
    plain = _THOUSANDS.sub("", unicodedata.normalize("NFKC", text).lower())
    return _KANJI_NUMBER.sub(lambda m: str(_value(m[0])), plain)


def _value(kanji: str) -> int:
    if not any(c in _UNITS for c in kanji):
        return int("".join(str(_DIGITS[c]) for c in kanji))
    total = digit = 0
    for c in kanji:
        if c in _UNITS:
            total += (digit or 1) * _UNITS[c]
            digit = 0
        else:
            digit = _DIGITS[c]
    return total + digit


def runs(text: str) -> list[tuple[str, int]]:
    """Runs of one script, without hiragana, with their offsets; `text` is folded already."""
    return [(m[0], m.start()) for m in RUN.finditer(text) if m[0] not in STOP]


def terms_of(run: str) -> list[tuple[str, int]]:
    """The terms of one run with their offsets in it."""
    if len(run) > 1 and _is_kanji(run[0]):
        return [(run[i : i + 2], i) for i in range(len(run) - 1)]
    return [(_stem(run), 0)]


def located_terms(text: str) -> list[tuple[str, int]]:
    """All terms of a folded text with their offsets."""
    return [(term, start + i) for run, start in runs(text) for term, i in terms_of(run)]


def terms(text: str) -> list[str]:
    """All terms of a folded text."""
    return [term for term, _ in located_terms(text)]


def is_number(term: str) -> bool:
    """Whether a term is a number."""
    return term[0].isdigit()


def is_single_kanji(term: str) -> bool:
    """Whether a term is one kanji, which says little alone."""
    return len(term) == 1 and _is_kanji(term)


def _is_kanji(c: str) -> bool:
    return "\u3400" <= c <= "\u9fff" or c in "々〆"


def _stem(word: str) -> str:
    """English endings that change no meaning here."""
    if not word.isascii() or len(word) < 4 or not word.isalpha():
        return word.removesuffix("'s")
    for ending in ("ies", "es", "s", "ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word
