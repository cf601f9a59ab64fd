"""Is what an extractor returned text at all? PDFs yield garble without an error: wrong CMap, no map, private codes."""

from __future__ import annotations

import re
import unicodedata

from lorag_indexer.normalize import unify

# Above this share of bad characters a page's text is not believed.
TOLERATED = 0.05
# Below this many characters beside a scanned image, what was found is a stamp or a page number and not the page.
FEW = 30

# Each nation's everyday characters fit in one of these sets; what a wrong CMap returns is drawn from all over Unicode.
_NATIONAL_SETS = ("cp932", "gb2312", "big5", "euc_kr")
_EAST_ASIAN = re.compile(
    r"[\u1100-\u11ff\u2460-\u24ff\u2e80-\u9fff\ua000-\ua4cf\uac00-\ud7ff\uf900-\ufaff\uff61-\uff9f]"
)
_LATIN_1 = re.compile(r"[\u0080-\u00ff\u0152-\u0192\u02c6\u02dc\u2013-\u2022\u2026\u2030\u2039\u203a\u20ac]")
_LATIN_1_TOLERATED = 0.4
_CID = re.compile(r"\(cid:\d+\)")


def bad_share(text: str) -> float:
    """Share of the visible characters that no reader can make sense of, 0 to 1; 0 for no characters."""
    visible = [c for c in unify(_CID.sub("\ufffd", text)) if not c.isspace()]
    if not visible:
        return 0.0
    bad = sum(_never_text(c) for c in visible)
    return max(bad / len(visible), _foreign_share(visible), _mojibake_share(visible))


def is_garbled(text: str) -> bool:
    """Whether a page's text is to be disbelieved."""
    return bad_share(text) > TOLERATED


def visible_length(text: str) -> int:
    """Characters that are not white space."""
    return len("".join(text.split()))


def _never_text(c: str) -> bool:
    if c in "\ufffd\ufffe\x00":
        return c != "\ufffe"  # pdfium's mark of a hyphen at a line's end
    if "\uf000" <= c <= "\uf0ff":
        return False  # bullets of symbol fonts
    return unicodedata.category(c) in ("Cc", "Co", "Cn", "Cs") and c not in "\x02"


def _foreign_share(visible: list[str]) -> float:
    """East Asian characters outside the national set that fits best, as a share of all characters."""
    eastern = [c for c in visible if _EAST_ASIAN.match(c)]
    if not eastern:
        return 0.0
    return min(sum(not _encodable(c, name) for c in eastern) for name in _NATIONAL_SETS) / len(visible)


def _encodable(c: str, encoding: str) -> bool:
    try:
        c.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _mojibake_share(visible: list[str]) -> float:
    """Text that is mostly accents and typographic signs is bytes of another encoding, not a European language."""
    share = sum(bool(_LATIN_1.match(c)) for c in visible) / len(visible)
    return share if share > _LATIN_1_TOLERATED else 0.0
