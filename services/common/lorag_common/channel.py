"""Client channels: keepalive, message cap, and retries for calls that are safe to repeat."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import grpc

from lorag_common import tls, tracing
from lorag_common.interceptors import HEADER
from lorag_common.log import caller, request_id

CALLER = "x-lorag-caller"
MAX_MESSAGE_BYTES = 16 << 20
CHUNK_BYTES = 256 << 10
DEADLINE_SECONDS = 30.0

_RETRY = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel to one of our services. Every Start* carries a request_id, so that retrying it is safe too."""
    options: list[tuple[str, Any]] = [
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.service_config", json.dumps(_RETRY)),
    ]
    credentials = _credentials()
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=options)
    return grpc.aio.secure_channel(address, credentials, options=options)


def open_blocking_channel(address: str, options: Sequence[tuple[str, Any]] = ()) -> grpc.Channel:
    """The same for a thread of its own, with no options but the given."""
    credentials = _credentials()
    if credentials is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, credentials, options=options)


def _credentials() -> grpc.ChannelCredentials | None:
    found = tls.material()
    return found and grpc.ssl_channel_credentials(found.ca, found.key, found.certificate)


def metadata() -> tuple[tuple[str, str], ...]:
    """Headers that carry on the request's id, for whom it is made, and the trace it belongs to."""
    ours = tuple((name, value) for name, value in ((HEADER, request_id.get()), (CALLER, caller.get())) if value)
    return (*ours, *tracing.carrier().items())
