"""What a user sees of documents and searches: pages, pictures, filters, terms, the index's identity, text files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedding_server import EmbeddingServer
from google.protobuf.timestamp_pb2 import Timestamp
from indexer_process import IndexerProcess, reason_of
from PIL import Image
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag.jobs.v1 import jobs_pb2

HANDBOOK = Path(__file__).parents[1] / "data" / "handbook_ja.pdf"


@pytest.fixture(scope="module")
def indexer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexerProcess]:
    models = EmbeddingServer()
    data = tmp_path_factory.mktemp("data")
    process = IndexerProcess(data, models.url, LORAG_EMBEDDER="first:v1", LORAG_CHUNK_CHARS="80")
    process.start()
    process.index(HANDBOOK)
    yield process
    process.end()
    models.close()


def test_a_hit_is_drawn_on_its_page(indexer: IndexerProcess) -> None:
    hit = indexer.search("有給休暇の上限は何日か", mode=pb.SEARCH_MODE_KEYWORD)[0]
    assert hit.boxes
    assert (hit.keyword_rank, hit.vector_rank) == (1, 0)
    request = pb.RenderPageRequest(
        document_id=hit.document_id, page=hit.page, span_start=hit.span_start, span_end=hit.span_end, width=600
    )
    drawn = indexer.call("RenderPage", request)
    assert list(drawn.boxes) == list(hit.boxes)
    image = Image.open(io.BytesIO(drawn.image))
    assert image.size == (drawn.width, drawn.height) and abs(drawn.width - 600) <= 1
    box = drawn.boxes[0]
    middle = (
        int((box.left + box.right) / 2 * drawn.width),
        int((box.top + 0.02 * (box.bottom - box.top)) * drawn.height) + 1,
    )
    assert image.getpixel(middle)[2] < 100, "the span is marked"  # type: ignore[index]
    assert image.getpixel((3, 3)) == (255, 255, 255)
    for changes in ({"page": 9}, {"span_end": 99999}, {"width": 5}):
        bad = pb.RenderPageRequest(document_id=hit.document_id, page=1)
        bad.MergeFrom(pb.RenderPageRequest(**changes))  # type: ignore[arg-type]
        assert reason_of(lambda r=bad: indexer.call("RenderPage", r)) == "INVALID_FIELD"  # type: ignore[misc]


def test_every_page_says_how_it_was_read(indexer: IndexerProcess, tmp_path: Path) -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("HeiseiMin-W3"))
    canvas = Canvas(str(tmp_path / "mixed.pdf"), pagesize=(600, 800), invariant=True)
    for n in range(4):
        canvas.setFont("HeiseiMin-W3", 9)
        canvas.drawString(60, 770, "社内規程集")
        canvas.drawString(300, 20, f"- {n + 1} -")
        canvas.setFont("HeiseiMin-W3", 12)
        canvas.drawString(60, 600, f"これは{n + 1}枚目の紙に書いた、読める文である。")
        canvas.showPage()
    canvas.rect(50, 50, 400, 600, fill=1)
    canvas.showPage()
    canvas.showPage()
    canvas.save()
    document_id = indexer.index(tmp_path / "mixed.pdf")
    request = pb.ListPagesRequest(document_id=document_id, page_size=5)
    first = indexer.call("ListPages", request)
    rest = indexer.call("ListPages", pb.ListPagesRequest(document_id=document_id, page_token=first.next_page_token))
    pages = [*first.pages, *rest.pages]
    assert [p.state for p in pages] == [pb.PAGE_STATE_TEXT] * 4 + [pb.PAGE_STATE_NEEDS_OCR, pb.PAGE_STATE_BLANK]
    assert {p.method for p in pages[:4]} <= {"pypdf", "pdfium-layout"}
    assert all(p.score == 1.0 and "headers and footers left out" in p.notes for p in pages[:4])
    assert [p.characters_left_out for p in pages[:4]] == [8] * 4
    document = indexer.call("GetDocument", pb.GetDocumentRequest(id=document_id)).document
    assert list(document.pages_without_text) == [5]
    assert document.quality == pytest.approx(0.8)
    assert indexer.search("社内規程集", mode=pb.SEARCH_MODE_KEYWORD, document_ids=[document_id]) == []


def test_searches_are_narrowed_by_tag_date_and_page(indexer: IndexerProcess, tmp_path: Path) -> None:
    note = tmp_path / "2019.txt"
    note.write_text("有給休暇は十日であった。", encoding="utf-8")
    old = indexer.index(note)
    request = pb.UpdateDocumentRequest(id=old, tags=["人事", "旧版"], date=Timestamp(seconds=1_550_000_000))
    changed = indexer.call("UpdateDocument", request).document
    assert (list(changed.tags), changed.date.seconds) == (["人事", "旧版"], 1_550_000_000)
    assert [d.id for d in indexer.call("ListDocuments", pb.ListDocumentsRequest(tag="旧版")).documents] == [old]
    bad = pb.UpdateDocumentRequest(id=old, tags=[" "])
    assert reason_of(lambda: indexer.call("UpdateDocument", bad)) == "INVALID_FIELD"

    def found(**narrow: object) -> set[str]:
        hits = indexer.search("有給休暇", top_k=50, mode=pb.SEARCH_MODE_KEYWORD, filter=pb.SearchFilter(**narrow))  # type: ignore[arg-type]
        return {h.document_id for h in hits}

    assert found(tags=["人事"]) == {old}
    assert found(tags=["人事", "なし"]) == set()
    assert found(date_until=Timestamp(seconds=1_600_000_000)) == {old}
    assert old not in found(date_from=Timestamp(seconds=1_600_000_000))
    hits = indexer.search(
        "休暇", top_k=50, mode=pb.SEARCH_MODE_KEYWORD, filter=pb.SearchFilter(first_page=2, last_page=2)
    )
    assert {h.page for h in hits} == {2}
    wrong = pb.SearchRequest(query="休暇", filter=pb.SearchFilter(first_page=3, last_page=2))
    assert reason_of(lambda: indexer.call("Search", wrong)) == "INVALID_FIELD"
    assert reason_of(lambda: indexer.call("Search", pb.SearchRequest(query="休暇", rerank=True))) == "RERANKER_MISSING"


def test_markdown_and_text_in_japanese_encodings_are_indexed(indexer: IndexerProcess, tmp_path: Path) -> None:
    body = (
        "# 保守の手引き\n\n油は月に一度替える。\n\n## 点検\n\n"
        + "歯車の摩耗を見る。" * 300
        + "\n\n## 廃棄\n\n廃油は業者に渡す。\n"
    )
    (tmp_path / "guide.md").write_bytes(body.encode("utf-8"))
    document_id = indexer.index(tmp_path / "guide.md")
    document = indexer.call("GetDocument", pb.GetDocumentRequest(id=document_id)).document
    assert document.kind == pb.DOCUMENT_KIND_MARKDOWN and document.page_count >= 2
    best = indexer.search("廃油はどうするか", mode=pb.SEARCH_MODE_KEYWORD)[0]
    assert "廃油は業者に渡す。" in best.text
    drawn = pb.RenderPageRequest(document_id=document_id, page=1)
    assert reason_of(lambda: indexer.call("RenderPage", drawn)) == "PAGE_NOT_DRAWABLE"
    for encoding in ("cp932", "euc_jp", "iso2022_jp", "utf-16"):
        (tmp_path / f"{encoding}.txt").write_bytes(f"符号は{encoding}で、倉庫の鍵は守衛が持つ。".encode(encoding))
        indexer.index(tmp_path / f"{encoding}.txt")
        assert (
            indexer.search(f"符号 {encoding} 守衛", mode=pb.SEARCH_MODE_KEYWORD)[0].document_name == f"{encoding}.txt"
        )


def test_the_terms_of_a_query_are_explained(indexer: IndexerProcess) -> None:
    reply = indexer.call("ExplainTokens", pb.ExplainTokensRequest(text="有給休暇は㌔ Leave zzz"))
    assert reply.tokenizer == "sudachi-a-bigram-1"
    assert reply.folded == "有給休暇はキロ leave zzz"
    kinds = {t.term: t.kind for t in reply.tokens}
    assert kinds["有給"] == pb.TOKEN_KIND_MORPHEME
    assert kinds["\u2581休暇"] == pb.TOKEN_KIND_BIGRAM
    counts = {t.term: t.chunk_count for t in reply.tokens}
    assert counts["有給"] > 0 and counts["zzz"] == 0
    assert reason_of(lambda: indexer.call("ExplainTokens", pb.ExplainTokensRequest(text=" "))) == "INVALID_FIELD"


def test_the_index_says_what_it_belongs_to_and_what_its_fusion_was_measured_to_be(indexer: IndexerProcess) -> None:
    index = indexer.call("GetIndex", pb.GetIndexRequest()).serving
    assert (index.store, index.embedder.model, index.embedder.dimension) == ("lancedb", "first:v1", 64)
    assert (index.chunking.chunker, index.chunking.characters, index.tokenizer) == (
        "sentences-2",
        80,
        "sudachi-a-bigram-1",
    )
    (handbook,) = (d for d in indexer.documents() if d.name == "handbook_ja.pdf")
    wanted = [
        ("創業者は誰ですか。", 1),
        ("終業の時刻は何時ですか", 2),
        ("出張の日当はいくらですか", 3),
        ("地震のときの集合場所", 4),
    ]
    questions = [pb.ProbeQuestion(question=q, document_id=handbook.id, page=p) for q, p in wanted]
    job = indexer.call("StartFusionMeasurement", pb.StartFusionMeasurementRequest(questions=questions)).job
    assert indexer.ended(job.id).state == jobs_pb2.JOB_STATE_SUCCEEDED
    fusion = indexer.call("GetIndex", pb.GetIndexRequest()).serving.fusion
    assert (fusion.source, fusion.question_count) == (pb.PROBE_SOURCE_GIVEN, 4)
    assert len(fusion.curve) == 21
    assert fusion.hybrid_ndcg >= fusion.keyword_ndcg > 0.5
    assert indexer.call("Search", pb.SearchRequest(query="休暇")).vector_weight == fusion.vector_weight
    assert bool(fusion.warning.reason) == (fusion.vector_weight < 0.3)
    bad = pb.StartFusionMeasurementRequest(questions=[pb.ProbeQuestion(question="x", document_id="nobody")])
    assert reason_of(lambda: indexer.call("StartFusionMeasurement", bad)) == "DOCUMENT_NOT_FOUND"
