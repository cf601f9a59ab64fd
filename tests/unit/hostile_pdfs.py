"""Files that are made to hurt whoever opens them."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import pypdf

HANDBOOK = Path(__file__).parents[1] / "data" / "handbook_ja.pdf"


def one_page(stream: bytes, filters: bytes = b"", extra: bytes = b"", catalog: bytes = b"") -> bytes:
    """A PDF of one page with this content stream."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R" + catalog + b">>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>"
        + extra
        + b">>",
        b"<<" + filters + b"/Length %d>>stream\n" % len(stream) + stream + b"\nendstream",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % o for o in offsets)
    return out + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % start


def truncated() -> bytes:
    content = HANDBOOK.read_bytes()
    return content[: len(content) // 8]


def many_pages(count: int) -> bytes:
    kids = b" ".join(b"%d 0 R" % (3 + n) for n in range(count))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[" + kids + b"]/Count %d>>" % count]
    objects += [b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>"] * count
    out, offsets = io.BytesIO(b"%PDF-1.7\n"), []
    out.seek(0, io.SEEK_END)
    for number, body in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n" % number + body + b"\nendobj\n")
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % o for o in offsets))
    out.write(b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start))
    return out.getvalue()


def bomb(gibibytes: int = 2) -> bytes:
    """Twice deflated: a few kilobytes that become gigabytes."""
    deflate = zlib.compressobj(9)
    block = b" " * (1 << 20)
    once = b"".join(deflate.compress(block) for _ in range(1024 * gibibytes)) + deflate.flush()
    return one_page(zlib.compress(once, 9), b"/Filter[/FlateDecode/FlateDecode]")


def nested(depth: int = 200_000) -> bytes:
    return one_page(b"", extra=b"/Deep " + b"[" * depth + b"]" * depth)


def nested_content(depth: int = 500_000) -> bytes:
    return one_page(b"q " * depth + b"[" * depth)


def scripted() -> bytes:
    action = b"/Names<</JavaScript<</Names[(a)<</S/JavaScript/JS(app.alert\\(1\\))>>]>>>>"
    text = b"BT /F1 12 Tf 50 700 Td (The allowance is twenty three dollars a day.) Tj ET"
    return one_page(text, catalog=action + b"/OpenAction<</S/JavaScript/JS(app.launchURL\\('x'\\))>>")


def encrypted() -> bytes:
    writer = pypdf.PdfWriter(clone_from=HANDBOOK)
    writer.encrypt("secret", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


PROGRAM = (
    b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff" + b"\x00" * 500 + b"This program cannot be run in DOS mode."
)
