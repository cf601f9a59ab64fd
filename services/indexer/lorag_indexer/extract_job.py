"""The child of an indexing job: original.pdf -> pages/<n>.json, page by page, then extraction.json.

A page that is on disk is not extracted again, so a child that was killed goes on where it was.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lorag_common.child import ChildJob, JobInterrupted
from lorag_common.errors import LoragError, Reason
from lorag_indexer.documents import DocumentFolder
from lorag_indexer.pdf import OpenPdf, PageState

PAGE_SECONDS = 60


def main(job: ChildJob) -> dict[str, Any]:
    """Extract every page of `spec["document_id"]`.

    Raises:
        LoragError: DOCUMENT_NOT_FOUND when the document is deleted meanwhile; PDF_WITHOUT_TEXT.
    """
    folder = DocumentFolder(job.data, job.spec["document_id"])
    pdf = OpenPdf(folder.original)
    states: list[PageState] = []
    for number in range(1, pdf.page_count + 1):
        job.report("extraction", number - 1, pdf.page_count)
        page = folder.page(number)
        if page is None:
            page = pdf.page(number, _limited)
            if not folder.exists():
                raise LoragError(Reason.DOCUMENT_NOT_FOUND, "The document was deleted.")
            folder.write_page(page)
        states.append(page.state)
        if job.stop_requested():
            raise JobInterrupted
    unusable = [n for n, state in enumerate(states, start=1) if state is PageState.NEEDS_OCR]
    folder.write_extraction(pdf.page_count, unusable)
    job.report("extraction", pdf.page_count, pdf.page_count, pages_without_text=len(unusable))
    if PageState.TEXT not in states:
        raise LoragError(Reason.PDF_WITHOUT_TEXT, f"None of the {pdf.page_count} pages has text that can be read.")
    return {"pages": pdf.page_count, "pages_without_text": unusable}


@contextmanager
def _limited() -> Iterator[None]:
    def expire(*_: object) -> None:
        raise TimeoutError(f"the page took more than {PAGE_SECONDS} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(PAGE_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
