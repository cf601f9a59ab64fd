"""multipart/form-data, read as it arrives: the file goes on to its service and is never whole in memory or on disk."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from lorag_common.channel import CHUNK_BYTES
from lorag_common.errors import LoragError, Reason

FIELD = "file"
# A client that is still sending would not read the answer; up to here it is heard to the end.
DRAIN_BYTES = 256 << 20

OPENAPI_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


class _Form:
    """Callbacks of the parser: the name of the one file, its bytes, and whether the form was whole."""

    def __init__(self, boundary: bytes) -> None:
        self.name: str | None = None
        self.data = bytearray()
        self.ended = False
        self._wanted = False
        self._field, self._value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        callbacks: dict[str, Callable[..., None]] = {
            "on_part_begin": self._headers.clear,
            "on_header_field": lambda d, s, e: self._field.extend(d[s:e]),
            "on_header_value": lambda d, s, e: self._value.extend(d[s:e]),
            "on_header_end": self._header,
            "on_headers_finished": self._part,
            "on_part_data": self._bytes,
            "on_end": self._end,
        }
        self.parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]

    def _header(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _part(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._wanted = options.get(b"name") == FIELD.encode() and b"filename" in options
        if not self._wanted:
            return
        if self.name is not None:
            raise LoragError(Reason.INVALID_FIELD, "Send one file a request.", field=FIELD)
        name = options[b"filename"].decode("utf-8", "replace").replace("\\", "/").rsplit("/", 1)[-1]
        if not name:
            raise LoragError(Reason.INVALID_FIELD, "The file has no name.", field=FIELD)
        self.name = name

    def _bytes(self, data: bytes, start: int, end: int) -> None:
        if self._wanted:
            self.data.extend(data[start:end])

    def _end(self) -> None:
        self.ended = True


async def file_messages(
    request: Request, first: Callable[[str], Any], chunk: Callable[[bytes], Any]
) -> AsyncIterator[Any]:
    """The messages of an upload: `first(name)`, then `chunk(bytes)` of at most 256 KiB each.

    Raises:
        LoragError: INVALID_FIELD when the request is no form with one file; UPLOAD_CORRUPT when it breaks off.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise LoragError(
            Reason.INVALID_FIELD, f"Send multipart/form-data with the file in the field '{FIELD}'.", field=FIELD
        )
    try:
        form = _Form(options[b"boundary"])
        announced = False
        async for part in request.stream():
            form.parser.write(part)
            if form.name is not None and not announced:
                announced = True
                yield first(form.name)
            while len(form.data) >= CHUNK_BYTES:
                yield chunk(bytes(form.data[:CHUNK_BYTES]))
                del form.data[:CHUNK_BYTES]
    except FormParserError as error:
        raise LoragError(Reason.INVALID_FIELD, f"The form cannot be read: {error}.", field=FIELD) from error
    except ClientDisconnect as error:
        raise LoragError(Reason.UPLOAD_CORRUPT, "The upload broke off.", field=FIELD) from error
    if not form.ended:
        raise LoragError(Reason.UPLOAD_CORRUPT, "The upload broke off before its end.", field=FIELD)
    if form.name is None:
        raise LoragError(Reason.INVALID_FIELD, f"The form has no file in the field '{FIELD}'.", field=FIELD)
    if form.data:
        yield chunk(bytes(form.data))


async def drain(request: Request) -> None:
    """Read what a client still sends, so that it gets to reading the answer."""
    seen = 0
    with contextlib.suppress(ClientDisconnect, RuntimeError):
        async for part in request.stream():
            seen += len(part)
            if seen > DRAIN_BYTES:
                return
