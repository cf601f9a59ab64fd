"""Pages of lists: an opaque token that carries the offset."""

from __future__ import annotations

import base64
from typing import NamedTuple

from lorag_common.errors import LoragError, Reason

DEFAULT_SIZE, MAX_SIZE = 50, 200


class Page(NamedTuple):
    """How many rows to return, and after how many to begin."""

    size: int
    offset: int

    def next_token(self, fetched: int) -> str:
        """Token of the next page, given that `size + 1` rows were asked for and `fetched` came; empty on the last."""
        return token_of(self.offset + self.size) if fetched > self.size else ""


def page_of(size: int, token: str) -> Page:
    """Decode a request's page_size and page_token.

    Raises:
        LoragError: INVALID_FIELD for a negative size or a token that is not ours.
    """
    if size < 0:
        raise LoragError(Reason.INVALID_FIELD, "page_size is negative.", field="page_size")
    return Page(min(size or DEFAULT_SIZE, MAX_SIZE), _decode(token) if token else 0)


def token_of(offset: int) -> str:
    """The token of the page that begins after `offset` rows."""
    return base64.urlsafe_b64encode(f"o{offset}".encode()).decode()


def _decode(token: str) -> int:
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
        if not text.startswith("o"):
            raise ValueError(token)
        return int(text[1:])
    except ValueError as error:
        raise LoragError(
            Reason.INVALID_FIELD, "page_token is not one of this service's.", field="page_token"
        ) from error
