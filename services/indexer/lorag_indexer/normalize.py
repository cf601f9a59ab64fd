"""Text as a PDF gives it -> text as a person reads it -> text as a search compares it.

A page keeps three forms. `raw` is what the extractor returned. `readable(raw)` is the page's text: lines that were only
wrapped are one line again, and characters that stand for others only because of the PDF's fonts are put right; spans,
citations and exported text refer to it. `folded(text)` is NFKC and lower case, for tokens alone: it turns ① into 1 and
㌔ into キロ, which a citation must not.
"""

from __future__ import annotations

import re
import unicodedata

# Unicode's EquivalentUnifiedIdeograph for the CJK Radicals Supplement, which NFKC leaves alone. PDFs hold them because
# a font's glyph for ⻑ and 長 is one and the same, and the way back from the glyph picked the radical.
_RADICALS = (
    "⺁⺂⺃⺄⺅⺆⺈⺉⺊⺋⺌⺍⺎⺏⺐⺒⺓⺔⺕⺖⺗⺘⺙⺛⺜⺝⺞⺟⺠⺡⺢⺣⺤⺥⺦⺧⺨⺩⺫⺬⺭⺯⺰⺱⺲⺳⺴⺶⺹⺺⺻⺼⺾⺿⻀⻁⻂⻃⻄⻅⻆⻈⻉⻋⻌⻍⻎⻏⻐⻑⻒⻓⻔⻖⻗⻘⻙⻚⻛⻜⻝⻟⻠⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲⻳",
    "厂乛乚乙亻冂刀刂卜㔾小小兀尣尢巳幺彑彐忄心扌攵旡日月歺母民氵氺灬爫爫丬牛犭王目示礻糹纟罓罒㓁冗羊耂肀聿肉艹艹艹虎衤覀西见角讠贝车辶辶辶邑钅長镸长门阝雨青韦页风飞食飠饣马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀龟",
)
# NFKC maps the Kangxi radical ⼾ to 戶; the glyph that Japanese fonts share it with is 戸.
_FONT_ARTEFACTS = str.maketrans(_RADICALS[0] + "⼾", _RADICALS[1] + "戸")
_KANGXI = re.compile(r"[\u2f00-\u2fd5]")
# か + U+3099 as files from macOS have it; only kana are composed, because composing changes compatibility ideographs.
_LOOSE_KANA_MARK = re.compile(r"[\u3041-\u30ff][\u3099\u309a]")

CJK = r"\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f"
_WIDE = re.compile(rf"[{CJK}\u3000-\u303f\uff01-\uff65]")
_ENDS_A_SENTENCE = re.compile(r"[。．！？!?.:：;；][」』）)】”\"']*$")
_BEGINS_AN_ITEM = re.compile(
    r"(?:[・●○■□◆◇▪•※＊*–—-]\s?|[(（]?[0-9０-９]{1,3}[)）.．、]\s?|[①-⑳]|第[0-9０-９一二三四五六七八九十百]+[章節条項部]|#+\s)"
)
# pdfium writes U+FFFE or U+0002 where a soft hyphen broke a word.
_SOFT_BREAK = re.compile("[\u00ad\ufffe\x02]\r?\n?")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\u200b\u2060\ufeff]")
# A line at least this full, relative to the page's longest, was ended by the margin and not by its author.
_FULL_LINE = 0.75


def unify(text: str) -> str:
    """Put characters right that are others only because of the PDF's fonts: radicals, loose kana marks."""
    text = text.translate(_FONT_ARTEFACTS)
    text = _KANGXI.sub(lambda m: unicodedata.normalize("NFKC", m.group()), text)
    return _LOOSE_KANA_MARK.sub(lambda m: unicodedata.normalize("NFC", m.group()), text)


def readable(raw: str) -> str:
    """The page's text: wrapped lines joined (Japanese without a space), hyphenated words whole, artefacts unified."""
    text = _SOFT_BREAK.sub("", unify(raw))
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").replace("\u00a0", " "))
    cells = {n for n, line in enumerate(text.split("\n")) if "\t" in line.strip()}
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in text.split("\n")]
    full = _FULL_LINE * max((width(line) for line in lines), default=0)
    out: list[str] = []
    previous = ""
    for n, line in enumerate(lines):
        if not line:
            previous = ""
            continue
        # A row of a table, its cells held apart by tabs, stays a line.
        joint = None if n in cells or n - 1 in cells else _joint(previous, line, full)
        if joint is None:
            out.append(line)
        elif joint == "-":
            out[-1] = out[-1][:-1] + line
        else:
            out[-1] += joint + line
        previous = line
    return "\n".join(out)


def folded(text: str) -> str:
    """NFKC, radicals unified, lower case: the form in which queries and documents are compared."""
    return unicodedata.normalize("NFKC", unify(text)).lower()


def width(line: str) -> int:
    """Width of a line in half-width columns."""
    return sum(2 if _WIDE.match(c) else 1 for c in line)


def _joint(previous: str, line: str, full: float) -> str | None:
    """What joins two lines of a paragraph: nothing, a space, or `-` for a word to close up; None ends the paragraph."""
    if not previous or _ENDS_A_SENTENCE.search(previous) or _BEGINS_AN_ITEM.match(line):
        return None
    if re.search(r"[A-Za-z]{2}-$", previous) and line[0].islower():
        return "-"
    if width(previous) < full:
        return None
    return "" if _WIDE.match(previous[-1]) or _WIDE.match(line[0]) else " "
