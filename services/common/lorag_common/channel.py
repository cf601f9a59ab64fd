"""Client channels: keepalive, message cap, and retries for calls that are safe to repeat."""

from __future__ import annotations

import json

import grpc

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
    options = [
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.service_config", json.dumps(_RETRY)),
    ]
    return grpc.aio.insecure_channel(address, options=options)


def metadata() -> tuple[tuple[str, str], ...]:
    """Headers that carry on the request's id, and for whom it is made."""
    return tuple((name, value) for name, value in ((HEADER, request_id.get()), (CALLER, caller.get())) if value)
