"""How a service ends that cannot start: by one line with the cause and the cure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lorag_common.errors import LoragError


@contextmanager
def exits_with_cause() -> Iterator[None]:
    """For `main`, as a decorator: errors of the table and of the system become the process's last line, status 1."""
    try:
        yield
    except LoragError as error:
        sys.exit(f"{error.message} {error.remedy}")
    except OSError as error:
        sys.exit(str(error))
