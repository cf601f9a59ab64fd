"""The child of an indexing job: the stored file -> pages/<n>.json, page by page, then extraction.json.

A page that is on disk is not extracted again, so a child that was killed goes on where it was. Headers and footers show only
when all pages are there, so they are taken out at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from lorag_common.child import ChildJob, JobInterrupted
from lorag_common.errors import LoragError, Reason
from lorag_indexer import ocr
from lorag_indexer.documents import DocumentFolder
from lorag_indexer.page_worker import PageWorker
from lorag_indexer.pages import PageState, PageText
from lorag_indexer.running_lines import NOTE, RunningLines
from lorag_indexer.settings import IndexerSettings
from lorag_indexer.text_files import decode, text_pages

NO_TEXT = (PageState.NEEDS_OCR, PageState.UNREADABLE)


def main(job: ChildJob) -> dict[str, Any]:
    """Extract every page of `spec["document_id"]`.

    Raises:
        LoragError: DOCUMENT_NOT_FOUND when the document is deleted meanwhile; PDF_WITHOUT_TEXT; DOCUMENT_TOO_COMPLEX.
    """
    folder = DocumentFolder(job.data, job.spec["document_id"])
    record = folder.record()
    total = record.page_count
    states: Counter[PageState] = Counter()
    running = RunningLines()
    unusable: list[int] = []
    problems: Counter[str] = Counter()
    source = _pdf_pages(folder, total) if record.kind == "pdf" else _text_pages(folder, record.kind)
    for page in source:
        if not folder.exists():
            raise LoragError(Reason.DOCUMENT_NOT_FOUND, "The document was deleted.")
        if folder.page(page.page) is None:
            folder.write_page(page)
        states[page.state] += 1
        unusable += [page.page] if page.state in NO_TEXT else []
        problems.update(page.notes if page.state is PageState.UNREADABLE else ())
        running.add(page)
        job.report("extraction", page.page, total, pages_without_text=len(unusable))
        if job.stop_requested():
            raise JobInterrupted
    _leave_out(folder, running)
    folder.write_extraction(total, unusable)
    if not states[PageState.TEXT]:
        raise _without_text(total, problems)
    return {"pages": total, "pages_without_text": unusable}


def _pdf_pages(folder: DocumentFolder, total: int) -> Iterator[PageText]:
    settings = IndexerSettings()
    engine = ocr.engine(settings.ocr)
    with PageWorker(folder.original, settings.extract_memory_mib) as worker:
        for number in range(1, total + 1):
            page = folder.page(number)
            if page is None and worker.exhausted:
                reason = "not read: too many pages before it could not be read"
                page = PageText(number, PageState.UNREADABLE, "", "", "", score=0.0, notes=(reason,))
            page = page or worker.page(number)
            if engine is not None and page.state is PageState.NEEDS_OCR and folder.page(number) is None:
                page = engine.read(folder.original, page)
            yield page


def _text_pages(folder: DocumentFolder, kind: str) -> Iterator[PageText]:
    text, encoding = decode(folder.original.read_bytes())
    yield from text_pages(text, kind, encoding)


def _leave_out(folder: DocumentFolder, running: RunningLines) -> None:
    for page in folder.pages():
        lines = running.of(page)
        if lines and lines != page.dropped and page.state is PageState.TEXT:
            folder.write_page(page.without_lines(lines, NOTE))


def _without_text(total: int, problems: Counter[str]) -> LoragError:
    """Why a document has no text: what readers said of its pages, the most frequent first."""
    if problems:
        said = "; ".join(f"{problem} ({n} of {total} pages)" for problem, n in problems.most_common(3))
        return LoragError(Reason.DOCUMENT_TOO_COMPLEX, f"No page can be read: {said}.")
    return LoragError(Reason.PDF_WITHOUT_TEXT, f"None of the {total} pages has text that can be read.")
