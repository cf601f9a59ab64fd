"""A process of its own that reads the pages of one PDF, so that a page which hangs, crashes or eats memory costs that page.

The extraction's child forks it, sends it page numbers and waits for pages. Its memory is limited by the system; its time by
the one who waits.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lorag_common.errors import LoragError
from lorag_common.log import get_logger
from lorag_indexer.pages import PageState, PageText
from lorag_indexer.pdf import PDFIUM, PYPDF, OpenPdf

log = get_logger(__name__)

READER_SECONDS = 20.0
# What one reader may cost a document before it is not asked any more.
MOST_FAILURES = 4
_MIB = 1 << 20


def limit_memory(mebibytes: int) -> None:
    """Let this process have no more address space than this; a larger request fails."""
    resource.setrlimit(resource.RLIMIT_AS, (mebibytes * _MIB, mebibytes * _MIB))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class PageWorker:
    """Reads pages in another process; use as a context.

    Args:
        path: the PDF.
        memory_mib: most address space of the process, in MiB.
        seconds: most time of one reader on one page.
    """

    def __init__(self, path: Path, memory_mib: int, seconds: float = READER_SECONDS) -> None:
        self._path = path
        self._memory = memory_mib
        self._seconds = seconds
        self._process: Any = None
        self._pipe: Connection | None = None
        self._failures = {PYPDF: 0, PDFIUM: 0}

    def __enter__(self) -> PageWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    @property
    def exhausted(self) -> bool:
        """Whether no reader is left that this document has not beaten."""
        return self._failures[PDFIUM] >= MOST_FAILURES

    def page(self, number: int) -> PageText:
        """One page, counted from 1; UNREADABLE when every reader failed on it.

        Raises:
            LoragError: what opening the file fails by.
        """
        without = {reader for reader, n in self._failures.items() if n >= MOST_FAILURES}
        reasons: list[str] = []
        while not {PYPDF, PDFIUM} <= without:
            page, reader, reason = self._try(number, frozenset(without))
            if page is not None:
                # What only one reader could read is said, and not believed any less: it passed the same check.
                return PageText.from_dict(page.as_dict() | {"notes": (*page.notes, *reasons)})
            log.warning("a reader failed on a page", page=number, reader=reader, reason=reason)
            self._failures[reader] += 1
            without.add(reader)
            reasons.append(f"{reader} {reason} on this page")
        return PageText(number, PageState.UNREADABLE, "", "", "", score=0.0, notes=tuple(reasons))

    def _try(self, number: int, without: frozenset[str]) -> tuple[PageText | None, str, str]:
        """The page, or the reader that failed and how."""
        pipe = self._started()
        reader = PYPDF if PYPDF not in without else PDFIUM
        try:
            pipe.send((number, without))
            while pipe.poll(self._seconds):
                kind, value = pipe.recv()
                if kind == "reading":
                    reader = value
                elif kind == "error":
                    raise LoragError.from_dict(value)
                else:
                    return PageText.from_dict(value), "", ""
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._process.join()
            status = self._process.exitcode or 0
            self._end()
            if status < 0:
                return None, reader, f"crashed ({signal.Signals(-status).name})"
            return None, reader, "took too much memory"
        self._end()
        return None, reader, f"took more than {self._seconds:.0f} s"

    def _started(self) -> Connection:
        if self._pipe is None:
            ours, theirs = multiprocessing.Pipe()
            context = multiprocessing.get_context("fork")
            self._process = context.Process(target=_serve, args=(self._path, self._memory, theirs, ours), daemon=True)
            self._process.start()
            theirs.close()
            self._pipe = ours
        return self._pipe

    def _end(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
        self._pipe = self._process = None


def _serve(path: Path, memory_mib: int, pipe: Connection, other_end: Connection) -> None:
    # Its own copy of the other end would keep the pipe open after the one who asks is gone.
    other_end.close()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    limit_memory(memory_mib)

    @contextmanager
    def announced(reader: str) -> Iterator[None]:
        pipe.send(("reading", reader))
        yield

    pdfs: dict[bool, OpenPdf] = {}
    while True:
        try:
            number, without = pipe.recv()
        except EOFError:
            return
        try:
            by_pypdf = PYPDF not in without
            if by_pypdf not in pdfs:
                pdfs[by_pypdf] = OpenPdf(path, by_pypdf)
            pipe.send(("page", pdfs[by_pypdf].page(number, announced, without).as_dict()))
        except LoragError as error:
            pipe.send(("error", error.as_dict()))
        except MemoryError:
            return
