"""How deep a PDF's syntax is nested. Readers give up far below what a hostile file has, and call the page blank.

ISO 32000-1, 7.3 (objects) and Annex C.2 (28 levels of `q` are what a conforming reader has to bear).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

DEEPEST = 256
_OPENING = frozenset({b"[", b"<<", b"q"})
# Strings in parentheses and comments are stepped over; `q` and `Q` stand alone, between delimiters.
_SYNTAX = re.compile(
    rb"\((?:[^()\\]|\\.)*+\)?|%[^\r\n]*|<<|>>|[\[\]]|(?<![^\s\[\]<>()/])[qQ](?![^\s\[\]<>()/])", re.DOTALL
)


def too_deep(syntax: bytes) -> bool:
    """Whether arrays, dictionaries and saved graphics states are open more than `DEEPEST` at once.

    Args:
        syntax: objects or a page's content; what stands in streams is not looked at.
    """
    depth = 0
    for part in _outside_streams(syntax):
        for match in _SYNTAX.finditer(part):
            token = match.group()
            if token in _OPENING:
                depth += 1
                if depth > DEEPEST:
                    return True
            elif token in (b"]", b">>", b"Q"):
                depth = max(0, depth - 1)
    return False


def _outside_streams(data: bytes) -> Iterator[bytes]:
    begin = 0
    while (stream := data.find(b"stream", begin)) >= 0:
        yield data[begin:stream]
        end = data.find(b"endstream", stream)
        begin = end + len(b"endstream") if end >= 0 else len(data)
    yield data[begin:]
