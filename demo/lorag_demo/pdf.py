"""Plain PDF pages of a heading and paragraphs, in Japanese or English."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from lorag_common.artifacts import write_atomic
from lorag_demo.facts import Language

MARGIN = 25 * mm
HEADING_SIZE = 16
BODY_SIZE = 12
LEADING = 1.6
# (heading, body). The Japanese fonts are those that every PDF reader brings; nothing is embedded.
FONTS: dict[Language, tuple[str, str]] = {
    "ja": ("HeiseiKakuGo-W5", "HeiseiMin-W3"),
    "en": ("Helvetica-Bold", "Helvetica"),
}
# Japanese typesetting lets no line begin with these.
NOT_AT_LINE_START = "、。，．・：；？！」』）］ーぁぃぅぇぉっゃゅょァィゥェォッャュョ"


@dataclass(frozen=True)
class PdfPage:
    """A page's heading and its paragraphs."""

    heading: str
    paragraphs: Sequence[str]


def write_pdf(path: Path, title: str, language: Language, pages: Sequence[PdfPage]) -> Path:
    """Write an A4 PDF, one PdfPage per page; the same content gives the same bytes.

    Raises ValueError when a page's text does not fit on the sheet.
    """
    if language == "ja":
        for font in FONTS["ja"]:
            pdfmetrics.registerFont(UnicodeCIDFont(font))
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1)
    canvas.setTitle(title)
    for page in pages:
        _draw(canvas, page, language)
        canvas.showPage()
    canvas.save()
    write_atomic(path, buffer.getvalue())
    return path


def _draw(canvas: Canvas, page: PdfPage, language: Language) -> None:
    heading_font, body_font = FONTS[language]
    width, height = A4
    y = height - MARGIN - HEADING_SIZE
    for font, size, text in [
        (heading_font, HEADING_SIZE, page.heading),
        *((body_font, BODY_SIZE, paragraph) for paragraph in page.paragraphs),
    ]:
        canvas.setFont(font, size)
        for line in wrap(text, font, size, width - 2 * MARGIN, language):
            if y < MARGIN:
                raise ValueError(f"the page '{page.heading}' holds more text than fits on one sheet")
            canvas.drawString(MARGIN, y, line)
            y -= size * LEADING
        y -= size * (LEADING - 1)


def wrap(text: str, font: str, size: float, width: float, language: Language) -> list[str]:
    """Lines no wider than `width` points: broken between words, in Japanese anywhere but before closing signs."""
    units = list(text) if language == "ja" else text.split(" ")
    joint = "" if language == "ja" else " "
    lines: list[str] = []
    for unit in units:
        longer = f"{lines[-1]}{joint}{unit}" if lines else unit
        fits = pdfmetrics.stringWidth(longer, font, size) <= width
        if lines and (fits or unit in NOT_AT_LINE_START):
            lines[-1] = longer
        else:
            lines.append(unit)
    return lines
