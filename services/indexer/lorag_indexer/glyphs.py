"""The characters of a PDF's page with the place of each, as pdfium has them."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pypdfium2 import raw as pdfium

from lorag_indexer.pages import Rectangle

INVISIBLE = 3  # the text render mode that draws nothing
TINY_POINTS = 1.5
_UNIT = 1_000_000
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Glyph:
    """One character: its box and size in points of the page, the direction of its line in quarter turns.

    Attributes:
        unseen: why a reader does not see it ("invisible", "white", "tiny", "off the page"); empty when it is seen.
    """

    char: str
    left: float
    bottom: float
    right: float
    top: float
    size: float
    quarter: int
    unseen: str = ""


class Projection:
    """From points of the page to shares of the page as it is drawn, whatever its rotation and crop."""

    def __init__(self, page: Any) -> None:
        self._origin = _device(page, 0, 0)
        x, y = _device(page, 1000, 0), _device(page, 0, 1000)
        self._x = ((x[0] - self._origin[0]) / 1000, (x[1] - self._origin[1]) / 1000)
        self._y = ((y[0] - self._origin[0]) / 1000, (y[1] - self._origin[1]) / 1000)

    def upright(self, glyphs: Sequence[Glyph]) -> bool:
        """Whether "down" on the page is down as it is drawn, so that vertical lines are vertical to the eye."""
        return not glyphs or abs(self._y[1]) > abs(self._y[0])

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Share of the width from the left, share of the height from the top."""
        return (
            self._origin[0] + x * self._x[0] + y * self._y[0],
            self._origin[1] + x * self._x[1] + y * self._y[1],
        )

    def rectangle(self, left: float, bottom: float, right: float, top: float) -> Rectangle:
        """A box of the page as it is drawn, rounded to a ten-thousandth."""
        (a, b), (c, d) = self.point(left, bottom), self.point(right, top)
        inside = [min(1.0, max(0.0, round(v, 4))) for v in (min(a, c), min(b, d), max(a, c), max(b, d))]
        return inside[0], inside[1], inside[2], inside[3]


def read_glyphs(page: Any, textpage: Any, projection: Projection) -> list[Glyph]:
    """All characters of a page in the order of its content; line breaks and spaces that pdfium adds are left out."""
    out: list[Glyph] = []
    covered = _dark_ground(page)
    style = _Style(textpage)
    box, matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
    high = 0
    for i in range(pdfium.FPDFText_CountChars(textpage)):
        code = pdfium.FPDFText_GetUnicode(textpage, i)
        if pdfium.FPDFText_IsGenerated(textpage, i) == 1 or code in (0, 0xFFFF):
            continue
        if 0xD800 <= code < 0xDC00:
            high = code
            continue
        if 0xDC00 <= code < 0xE000:
            # Characters such as 𠮷 come in two halves.
            code = 0x10000 + ((high - 0xD800) << 10) + code - 0xDC00 if high else 0xFFFD
        high = 0
        pdfium.FPDFText_GetLooseCharBox(textpage, i, box)
        pdfium.FPDFText_GetMatrix(textpage, i, matrix)
        size = pdfium.FPDFText_GetFontSize(textpage, i) * math.hypot(matrix.c, matrix.d)
        quarter = round(math.atan2(matrix.b, matrix.a) / (math.pi / 2)) % 4
        unseen = style.unseen(i)
        middle = (box.left + box.right) / 2, (box.bottom + box.top) / 2
        if unseen == "white" and any(a <= middle[0] <= c and b <= middle[1] <= d for a, b, c, d in covered):
            unseen = ""
        x, y = projection.point(*middle)
        if not (-0.01 <= x <= 1.01 and -0.01 <= y <= 1.01):
            unseen = "off the page"
        elif 0 < size < TINY_POINTS:
            unseen = unseen or "tiny"
        out.append(Glyph(chr(code), box.left, box.bottom, box.right, box.top, abs(size), quarter, unseen))
    return out


class _Style:
    """Render mode and colour, asked once for each text object."""

    def __init__(self, textpage: Any) -> None:
        self._textpage = textpage
        self._known: dict[int, str] = {}

    def unseen(self, index: int) -> str:
        handle = pdfium.FPDFText_GetTextObject(self._textpage, index)
        address = ctypes.cast(handle, ctypes.c_void_p).value or 0
        if address not in self._known:
            self._known[address] = self._look(handle, index)
        return self._known[address]

    def _look(self, handle: Any, index: int) -> str:
        if pdfium.FPDFTextObj_GetTextRenderMode(handle) == INVISIBLE:
            return "invisible"
        parts = [ctypes.c_uint() for _ in range(4)]
        if not pdfium.FPDFText_GetFillColor(self._textpage, index, *parts):
            return ""
        red, green, blue, alpha = (part.value for part in parts)
        if alpha == 0:
            return "invisible"
        return "white" if (red, green, blue) == _WHITE else ""


def _dark_ground(page: Any) -> list[tuple[float, float, float, float]]:
    """Boxes of images and of filled shapes that are not white: white text on them is seen."""
    out = []
    for item in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_PATH], max_depth=3):
        if item.type == pdfium.FPDF_PAGEOBJ_PATH:
            parts = [ctypes.c_uint() for _ in range(4)]
            known = pdfium.FPDFPageObj_GetFillColor(item.raw, *parts)
            if not known or tuple(p.value for p in parts[:3]) == _WHITE:
                continue
        out.append(tuple(item.get_bounds()))
    return out


def _device(page: Any, x: float, y: float) -> tuple[float, float]:
    across, down = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDF_PageToDevice(page.raw, 0, 0, _UNIT, _UNIT, 0, x, y, across, down)
    return across.value / _UNIT, down.value / _UNIT
