"""Optical character recognition, where somebody installed an engine: Tesseract, as a program.

`LORAG_OCR=auto` uses it when it is there with its Japanese data, `tesseract` insists on it, `off` never does. Without it a
scanned page says that it needs OCR.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

from lorag_common.errors import LoragError, Reason
from lorag_common.log import get_logger
from lorag_indexer.normalize import CJK, readable
from lorag_indexer.pages import PageState, PageText, Rectangle
from lorag_indexer.pdf import OpenPdf
from lorag_indexer.quality import bad_share, is_garbled, visible_length

log = get_logger(__name__)

SECONDS = 120.0
WIDTH_PIXELS = 2480  # an A4 page at 300 dots an inch
LEAST_CONFIDENCE = 30.0
LANGUAGES = ("jpn", "jpn_vert", "eng")


class Tesseract:
    """The program `tesseract`, told which of our languages it has."""

    def __init__(self, program: str, languages: list[str]) -> None:
        self._program = program
        self._languages = "+".join(languages)

    def read(self, path: Path, page: PageText) -> PageText:
        """The page read by OCR; unchanged, with a note, when that gives nothing that can be believed."""
        try:
            rows = self._rows(path, page.page)
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("OCR failed", page=page.page, error=str(error)[:200])
            return _noted(page, "OCR failed")
        lines, confidence = _lines(rows)
        raw = "\n".join(text for text, _ in lines)
        if is_garbled(raw) or not visible_length(raw):
            return _noted(page, "OCR found nothing")
        return PageText(
            page.page,
            PageState.TEXT,
            readable(raw),
            raw,
            "tesseract",
            score=round(min(1.0 - bad_share(raw), confidence), 4),
            notes=(*page.notes, "read by OCR"),
            lines=tuple(box for _, box in lines),
        )

    def _rows(self, path: Path, number: int) -> list[dict[str, str]]:
        pdf = OpenPdf(path, by_pypdf=False)
        picture = io.BytesIO()
        pdf.image(number, WIDTH_PIXELS).save(picture, "PNG")
        pdf.close()
        command = [self._program, "stdin", "stdout", "-l", self._languages, "--psm", "1", "tsv"]
        done = subprocess.run(command, input=picture.getvalue(), capture_output=True, timeout=SECONDS, check=True)
        return list(csv.DictReader(io.StringIO(done.stdout.decode()), delimiter="\t", quoting=csv.QUOTE_NONE))


def engine(setting: str) -> Tesseract | None:
    """The engine that a setting means; None for no OCR.

    Raises:
        LoragError: CONFIG_INVALID when the setting insists on an engine that is not there.
    """
    if setting == "off":
        return None
    program = shutil.which("tesseract")
    languages = _languages(program) if program else []
    if program and languages:
        return Tesseract(program, languages)
    if setting == "tesseract":
        raise LoragError(
            Reason.CONFIG_INVALID,
            "LORAG_OCR is 'tesseract', and the program or its language data is not installed.",
            remedy="Install tesseract-ocr with its jpn and eng data, or set LORAG_OCR=off.",
        )
    return None


def _languages(program: str) -> list[str]:
    done = subprocess.run([program, "--list-langs"], capture_output=True, text=True, timeout=SECONDS, check=False)
    return [name for name in LANGUAGES if name in done.stdout.split()]


def _lines(rows: list[dict[str, str]]) -> tuple[list[tuple[str, Rectangle]], float]:
    """Lines with their boxes, and the mean confidence from 0 to 1. A row of level 1 is the page, of level 5 a word."""
    whole = next((r for r in rows if r["level"] == "1"), None)
    width, height = (float(whole["width"]), float(whole["height"])) if whole else (1.0, 1.0)
    lines: dict[tuple[str, ...], list[dict[str, str]]] = {}
    words = [r for r in rows if r["level"] == "5" and r["text"].strip() and float(r["conf"]) >= LEAST_CONFIDENCE]
    for row in words:
        lines.setdefault((row["block_num"], row["par_num"], row["line_num"]), []).append(row)
    out = []
    for line in lines.values():
        left, top = min(float(w["left"]) for w in line), min(float(w["top"]) for w in line)
        right = max(float(w["left"]) + float(w["width"]) for w in line)
        bottom = max(float(w["top"]) + float(w["height"]) for w in line)
        box = (round(left / width, 4), round(top / height, 4), round(right / width, 4), round(bottom / height, 4))
        out.append((_joined([w["text"] for w in line]), box))
    confidence = sum(float(r["conf"]) for r in words) / (100.0 * len(words)) if words else 0.0
    return out, confidence


def _joined(words: list[str]) -> str:
    """Tesseract cuts Japanese into words too; only between others there is a space."""
    text = words[0]
    for word in words[1:]:
        wide = re.match(rf"[{CJK}\u3000-\u303f\uff01-\uff65]", text[-1]) or re.match(rf"[{CJK}\u3000-\u303f]", word[0])
        text += ("" if wide else " ") + word
    return text


def _noted(page: PageText, note: str) -> PageText:
    return PageText.from_dict(page.as_dict() | {"notes": (*page.notes, note)})
