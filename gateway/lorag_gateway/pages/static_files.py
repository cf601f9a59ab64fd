"""Styles, modules and libraries, which a browser keeps until their version changes."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.staticfiles import StaticFiles

LIBRARIES = ("uplot.js", "uplot.css", "marked.js", "purify.js")


class Assets(StaticFiles):
    """Asked for again each time, but answered by "not modified" while nothing changed."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """One file."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def missing_libraries(static: Path) -> list[str]:
    """Libraries that `make web` has not fetched yet."""
    return [name for name in LIBRARIES if not (static / "vendor" / name).exists()]


@cache
def digest(path: Path) -> str:
    """Of a file, for addresses that change with it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
