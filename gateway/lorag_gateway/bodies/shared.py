"""What all bodies share. Values are checked by the service that uses them; here only shapes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Header, Query
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

# What a model server takes as a name: host/owner/name:tag, and our `+docs`.
MODEL = r"^[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,199}$"
Int32 = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
# What protobuf's Timestamp can hold.
Time = Annotated[AwareDatetime, Field(description="RFC 3339.", examples=["2026-11-25T09:00:00Z"])]
PageSize = Annotated[int, Query(ge=0, le=200, description="At most this many; 0 means 50.")]
PageToken = Annotated[str, Query(max_length=200, description="`next_page_token` of the page before.")]
IdempotencyKey = Annotated[
    str,
    Header(alias="Idempotency-Key", max_length=200, description="Makes the call safe to repeat; any unique string."),
]


class Body(BaseModel):
    """Refuses unknown fields, so that a misspelt setting is not silently ignored."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


def timestamp(value: datetime | None) -> Timestamp | None:
    """A time as protobuf has it."""
    if value is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(value)
    return stamp
