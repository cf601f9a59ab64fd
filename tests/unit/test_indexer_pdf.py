from __future__ import annotations

from pathlib import Path

import pypdf
import pytest
from pdf_cases import encoded_pdf

from lorag_common.errors import LoragError
from lorag_indexer.pages import PageState
from lorag_indexer.pdf import OpenPdf
from lorag_indexer.pdf_check import CheckLimits, PdfCheck, check_pdf
from lorag_indexer.quality import is_garbled

HANDBOOK = Path(__file__).parents[1] / "data" / "handbook_ja.pdf"
LIMITS = CheckLimits()
TEXT = "東京都の長い年次有給休暇は、２２日を上限とする。"


@pytest.mark.parametrize(
    ("encoding", "codec", "extractor"),
    [
        ("EUC-H", "euc_jp", "pdfium"),
        ("90msp-RKSJ-H", "cp932", "pdfium"),
        ("83pv-RKSJ-H", "cp932", "pdfium"),
        ("90ms-RKSJ-H", "cp932", "pypdf"),
        ("90ms-RKSJ-V", "cp932", "pdfium-layout"),
        ("UniJIS-UCS2-H", "utf-16-be", "pypdf"),
    ],
)
def test_what_pypdf_misreads_is_read_by_pdfium(tmp_path: Path, encoding: str, codec: str, extractor: str) -> None:
    page = OpenPdf(encoded_pdf(tmp_path / "a.pdf", encoding, [TEXT.encode(codec)])).page(1)
    assert (page.state, page.text, page.extractor) == (PageState.TEXT, TEXT, extractor)


def test_jis_without_escapes(tmp_path: Path) -> None:
    jis = TEXT.encode("iso2022_jp").replace(b"\x1b$B", b"").replace(b"\x1b(B", b"")
    assert OpenPdf(encoded_pdf(tmp_path / "a.pdf", "H", [jis])).page(1).text == TEXT


def test_a_page_that_nobody_can_read_needs_ocr_and_a_blank_one_does_not(tmp_path: Path) -> None:
    pdf = OpenPdf(encoded_pdf(tmp_path / "a.pdf", "UniJIS-UTF8-H", [TEXT.encode(), b""]))
    assert pdf.page_count == 2
    garbled, blank = pdf.page(1), pdf.page(2)
    assert (garbled.state, garbled.text) == (PageState.NEEDS_OCR, "")
    assert (blank.state, blank.text) == (PageState.BLANK, "")


def test_an_encoding_of_four_bytes_loses_no_line_ends_silently(tmp_path: Path) -> None:
    text = "出張の日当は二千三百円である。課長が承認する。精算は月末までに行う。"
    page = OpenPdf(encoded_pdf(tmp_path / "a.pdf", "UniJIS-UTF32-H", [text.encode("utf-32-be")])).page(1)
    assert (page.state, page.text) == (PageState.NEEDS_OCR, "")


def test_a_scanned_page_needs_ocr(tmp_path: Path) -> None:
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    image = pytest.importorskip("PIL.Image").new("L", (60, 80), 200)
    canvas = Canvas(str(tmp_path / "scan.pdf"), pagesize=(600, 800))
    canvas.drawImage(ImageReader(image), 0, 0, 600, 800)
    canvas.drawString(300, 20, "12")
    canvas.showPage()
    canvas.drawString(50, 700, "12")
    canvas.save()
    pdf = OpenPdf(tmp_path / "scan.pdf")
    assert pdf.page(1).state is PageState.NEEDS_OCR
    assert (pdf.page(2).state, pdf.page(2).text) == (PageState.TEXT, "12")


def test_chromium_wrapped_lines_are_whole_again() -> None:
    pdf = OpenPdf(HANDBOOK)
    assert pdf.page_count == 4
    page = pdf.page(2)
    assert page.state is PageState.TEXT
    assert "その後は一年ごとに2日ずつ増え、22日を上限とする。" in page.text
    assert "一年\nごと" in page.raw


def test_not_a_pdf(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    for content, reason in ((b"", "NOT_A_PDF"), (b"hello", "NOT_A_PDF"), (b"%PDF-1.7\nrubbish", "PDF_DAMAGED")):
        path.write_bytes(content)
        with pytest.raises(LoragError) as caught:
            check_pdf(path, LIMITS)
        assert caught.value.reason == reason


def test_encrypted(tmp_path: Path) -> None:
    writer = pypdf.PdfWriter(clone_from=encoded_pdf(tmp_path / "a.pdf", "90ms-RKSJ-H", [TEXT.encode("cp932")]))
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(tmp_path / "locked.pdf")
    with pytest.raises(LoragError) as caught:
        check_pdf(tmp_path / "locked.pdf", LIMITS)
    assert caught.value.reason == "PDF_ENCRYPTED"

    writer = pypdf.PdfWriter(clone_from=tmp_path / "a.pdf")
    writer.encrypt("", "owner", algorithm="RC4-128")
    writer.write(tmp_path / "open.pdf")
    assert check_pdf(tmp_path / "open.pdf", LIMITS) == PdfCheck(pages=1, scripts=False)
    assert OpenPdf(tmp_path / "open.pdf").page(1).text == TEXT


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "年次有給休暇は、入社の日から6か月続けて勤めた人に12日を与える。①㌔ｱｲｳ",
        "这是一个简体中文的段落，用来说明系统不会把中文误认为乱码。",
        "這是一個繁體中文的段落，用來說明系統不會把中文誤認為亂碼。",
        "이 문장은 한국어로 쓰여 있으며 깨진 글자가 아니다.",
        "L'été dernier, les élèves étaient déjà à l'école où ils avaient été très appréciés.",
        "Tiếng Việt có nhiều dấu nhưng vẫn là chữ đọc được.",
        "Это предложение написано по-русски.",
        "\uf0b7 A bullet of a symbol font, and a word after it.",
        "",
    ],
)
def test_real_text_is_believed(text: str) -> None:
    assert not is_garbled(text)


@pytest.mark.parametrize(
    "text",
    [
        "鎌讞鍳苌銷芢鑎躟靌讋譸觉苍腁㈲鏺苰迣賀苆芷苩腂",
        "여뗾엔\ua4ce쒹꒤잯벡춭뗫뗙닋\ua4cfꆢꎲꎲ웼ꓲ뻥룂\ua4c8꒹ꓫꆣ",
        "䕬㕾䕔\u244e䐹␤䜯㰡䴭㕫㕙㉋\u244f™⌲⌲䙼⑲㹥㡂⑈\u2439⑫℣",
        "\ufffd\ufffd\ufffdabc",
        "(cid:12)(cid:45)(cid:7) x",
        "\x01\x02\x03\x04\x05text",
        "ƒVƒXƒeƒ€‚ÌÝ’è",
        "\ue001\ue002\ue003",
    ],
)
def test_garble_is_not(text: str) -> None:
    assert is_garbled(text)
