"""A page as a picture with boxes highlighted, drawn in a process of its own with limits: a hostile page costs that picture.

`python -m lorag_indexer.page_image` reads one JSON object from standard input and writes a PNG.
"""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lorag_common.errors import LoragError, Reason
from lorag_indexer.pages import Rectangle
from lorag_indexer.pdf_check import CheckLimits

HIGHLIGHT = (255, 221, 51)
MOST_PIXELS = 40_000_000


@dataclass(frozen=True)
class PageImage:
    """A PNG with its size in pixels."""

    png: bytes
    width: int
    height: int


def draw_page(path: Path, page: int, width: int, boxes: Sequence[Rectangle], limits: CheckLimits) -> PageImage:
    """Draw a page, counted from 1, `width` pixels wide, with the boxes highlighted.

    Raises:
        LoragError: PAGE_NOT_DRAWABLE.
    """
    order = {"path": str(path), "page": page, "width": width, "boxes": list(boxes), "memory_mib": limits.memory_mib}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "lorag_indexer.page_image"],
            input=json.dumps(order).encode(),
            capture_output=True,
            timeout=limits.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LoragError(
            Reason.PAGE_NOT_DRAWABLE, f"Drawing page {page} takes more than {limits.seconds:.0f} s."
        ) from error
    if done.returncode != 0 or not done.stdout.startswith(b"\x89PNG"):
        raise LoragError(
            Reason.PAGE_NOT_DRAWABLE, f"Page {page} cannot be drawn, or takes more than {limits.memory_mib} MiB."
        )
    # Width and height are in a PNG's first chunk.
    across, down = struct.unpack(">II", done.stdout[16:24])
    return PageImage(done.stdout, across, down)


def _main() -> None:
    from PIL import Image, ImageChops, ImageDraw

    from lorag_indexer.page_worker import limit_memory
    from lorag_indexer.pdf import OpenPdf

    order = json.load(sys.stdin)
    limit_memory(order["memory_mib"])
    picture = OpenPdf(Path(order["path"]), by_pypdf=False).image(order["page"], order["width"], MOST_PIXELS)
    marker = Image.new("RGB", picture.size, (255, 255, 255))
    draw = ImageDraw.Draw(marker)
    for left, top, right, bottom in order["boxes"]:
        corners = (left * picture.width, top * picture.height, right * picture.width, bottom * picture.height)
        draw.rectangle(corners, fill=HIGHLIGHT)
    out = io.BytesIO()
    # Multiplied, like a marker on paper: the letters stay as black as they were.
    ImageChops.multiply(picture, marker).save(out, "PNG")
    sys.stdout.buffer.write(out.getvalue())


if __name__ == "__main__":
    _main()
