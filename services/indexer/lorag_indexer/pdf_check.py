"""Is a file a PDF that can be opened? Asked in a process of its own: a hostile file must not take the service along.

`python -m lorag_indexer.pdf_check FILE MIB` prints one JSON object: `pages` and `scripts`, or an error.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lorag_common.errors import LoragError, Reason


@dataclass(frozen=True)
class CheckLimits:
    """What opening a file may cost: address space in MiB, time in seconds."""

    memory_mib: int = 2048
    seconds: float = 30.0


@dataclass(frozen=True)
class PdfCheck:
    """What a look into the file told: its pages, and whether it carries scripts."""

    pages: int
    scripts: bool


def check_pdf(path: Path, limits: CheckLimits) -> PdfCheck:
    """Open a PDF elsewhere.

    Raises:
        LoragError: NOT_A_PDF, PDF_DAMAGED, PDF_ENCRYPTED, DOCUMENT_TOO_COMPLEX.
    """
    command = [sys.executable, "-m", "lorag_indexer.pdf_check", str(path), str(limits.memory_mib)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limits.seconds, check=False)
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise LoragError(
            Reason.DOCUMENT_TOO_COMPLEX, f"Opening the PDF takes more than {limits.seconds:.0f} s."
        ) from error
    except json.JSONDecodeError as error:
        raise LoragError(
            Reason.DOCUMENT_TOO_COMPLEX,
            f"Opening the PDF takes more than {limits.memory_mib} MiB, or crashes its reader.",
        ) from error
    if "reason" in answer:
        raise LoragError.from_dict(answer)
    return PdfCheck(int(answer["pages"]), bool(answer["scripts"]))


def _main() -> None:
    from lorag_indexer.page_worker import limit_memory
    from lorag_indexer.pdf import OpenPdf

    limit_memory(int(sys.argv[2]))
    try:
        pdf = OpenPdf(Path(sys.argv[1]), by_pypdf=False)
        answer: dict[str, object] = {"pages": pdf.page_count, "scripts": pdf.has_scripts()}
    except LoragError as error:
        answer = dict(error.as_dict())
    print(json.dumps(answer))


if __name__ == "__main__":
    _main()
