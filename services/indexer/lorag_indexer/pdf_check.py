"""Is a file a PDF that can be opened? Asked in a process of its own: a hostile file must not take the service along.

`python -m lorag_indexer.pdf_check FILE` prints one JSON object: `pages`, or an error.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from lorag_common.errors import LoragError, Reason

SECONDS = 60.0


def check_pdf(path: Path) -> int:
    """Number of pages.

    Raises:
        LoragError: NOT_A_PDF, PDF_ENCRYPTED.
    """
    damaged = LoragError(Reason.NOT_A_PDF, "The file begins like a PDF but cannot be opened.", remedy="Save it anew.")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "lorag_indexer.pdf_check", str(path)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        raise damaged from error
    if "reason" in answer:
        raise LoragError.from_dict(answer)
    return int(answer["pages"])


def _main() -> None:
    from lorag_indexer.pdf import OpenPdf

    try:
        answer: dict[str, object] = {"pages": OpenPdf(Path(sys.argv[1])).page_count}
    except LoragError as error:
        answer = dict(error.as_dict())
    print(json.dumps(answer))


if __name__ == "__main__":
    _main()
