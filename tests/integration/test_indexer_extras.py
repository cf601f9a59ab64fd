"""What is installed beside the indexer by those who want it: OCR of scanned pages, and a cross-encoder."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from embedding_server import EmbeddingServer
from indexer_process import IndexerProcess

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag_indexer.pdf import OpenPdf
from lorag_indexer.reranker import CrossEncoderReranker

HANDBOOK = Path(__file__).parents[1] / "data" / "handbook_ja.pdf"


def _reads_japanese() -> bool:
    program = shutil.which("tesseract")
    if program is None:
        return False
    return (
        "jpn" in subprocess.run([program, "--list-langs"], capture_output=True, text=True, check=False).stdout.split()
    )


@pytest.mark.skipif(not _reads_japanese(), reason="tesseract with its jpn data is not installed")
def test_a_scanned_page_is_read_by_ocr_found_and_drawn(tmp_path: Path) -> None:
    scan = tmp_path / "scan.pdf"
    OpenPdf(HANDBOOK).image(2, 1654).save(scan, "PDF", resolution=200)
    models = EmbeddingServer()
    (tmp_path / "data").mkdir()
    indexer = IndexerProcess(tmp_path / "data", models.url, LORAG_EMBEDDER="first:v1", LORAG_OCR="tesseract")
    indexer.start()
    try:
        document_id = indexer.index(scan)
        page = indexer.call("ListPages", pb.ListPagesRequest(document_id=document_id)).pages[0]
        assert (page.state, page.method) == (pb.PAGE_STATE_TEXT, "tesseract")
        assert 0.5 < page.score <= 1.0 and "read by OCR" in page.notes
        hit = indexer.search("有給休暇の上限は何日か", mode=pb.SEARCH_MODE_KEYWORD)[0]
        assert "22日を上限とする" in hit.text.replace(" ", "")
        # A line of a page that lies down the sheet, not across it.
        assert hit.boxes and all(b.right - b.left > b.bottom - b.top > 0 for b in hit.boxes)
    finally:
        indexer.end()
        models.close()


def test_a_cross_encoder_of_a_folder_scores_pairs(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d"]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertTokenizerFast(vocab_file=str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=1,
    )
    model = BertForSequenceClassification(config)
    model.save_pretrained(tmp_path)
    passages = ["b c", "a", "d d d"]
    scores = CrossEncoderReranker(tmp_path).scores("a b", passages)
    tokenizer = BertTokenizerFast.from_pretrained(tmp_path)
    with torch.no_grad():
        wanted = [
            float(torch.sigmoid(model.eval()(**tokenizer("a b", p, return_tensors="pt")).logits)) for p in passages
        ]
    assert scores == pytest.approx(wanted, abs=1e-5)
    assert len(set(scores)) == 3
