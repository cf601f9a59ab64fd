"""PDFs written by hand: a page per string, in a font that names an encoding and carries no map back to Unicode."""

from __future__ import annotations

from pathlib import Path

Placed = list[tuple[float, float, bytes]]


def jis(text: str) -> bytes:
    """ISO-2022-JP without its escapes, as the encodings H and V have it."""
    return text.encode("iso2022_jp").replace(b"\x1b$B", b"").replace(b"\x1b(B", b"")


def encoded_pdf(path: Path, encoding: str, pages: list[bytes | Placed]) -> Path:
    """A PDF whose pages show these bytes in a Japanese font of that predefined CMap; no bytes means a blank page.

    Instead of bytes a page may have a list of (x, y, bytes), 12 points high.
    """
    kids = " ".join(f"{6 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>".encode(),
        f"<</Type/Font/Subtype/Type0/BaseFont/HeiseiMin-W3/Encoding/{encoding}/DescendantFonts[4 0 R]>>".encode(),
        b"<</Type/Font/Subtype/CIDFontType0/BaseFont/HeiseiMin-W3/FontDescriptor 5 0 R"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Japan1)/Supplement 2>>>>",
        b"<</Type/FontDescriptor/FontName/HeiseiMin-W3/Flags 4/FontBBox[0 -200 1000 900]/ItalicAngle 0"
        b"/Ascent 800/Descent -200/CapHeight 700/StemV 80>>",
    ]
    for n, text in enumerate(pages):
        placed = [(50, 700, text)] if isinstance(text, bytes) else text
        shown = [b"BT /F1 12 Tf %d %d Td <%s> Tj ET" % (x, y, line.hex().encode()) for x, y, line in placed if line]
        stream = b"\n".join(shown)
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>>>"
            + f"/Contents {7 + 2 * n} 0 R>>".encode()
        )
        objects.append(b"<</Length %d>>stream\n" % len(stream) + stream + b"\nendstream")
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table
    out += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    path.write_bytes(out)
    return path
