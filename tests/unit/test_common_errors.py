"""The one error table and its three faces: exception, gRPC status, dictionary."""

from __future__ import annotations

import pickle

import grpc
import pytest
from google.rpc import status_pb2

from lorag_common.errors import HTTP_STATUS, TABLE, Code, LoragError, Reason
from lorag_common.rpc_errors import from_rpc, to_status


def test_every_reason_has_a_row_with_a_remedy() -> None:
    assert set(TABLE) == set(Reason)
    assert all(row.remedy for row in TABLE.values())


def test_every_code_has_an_http_status() -> None:
    assert set(HTTP_STATUS) == set(Code)


@pytest.mark.parametrize("reason", list(Reason))
def test_survives_pickling_and_dictionaries(reason: Reason) -> None:
    error = LoragError(reason, "what", remedy="do", field="f")
    for copy in (pickle.loads(pickle.dumps(error)), LoragError.from_dict(error.as_dict())):
        assert (copy.reason, copy.message, copy.remedy, copy.field) == (reason, "what", "do", "f")


def test_unknown_reason_is_internal() -> None:
    assert LoragError.from_dict({"reason": "FROM_THE_FUTURE", "message": "m"}).reason is Reason.INTERNAL


def test_status_carries_reason_remedy_and_field() -> None:
    status = to_status(LoragError(Reason.DATASET_MALFORMED, "line 3", field="chunk"))
    assert status.code is grpc.StatusCode.INVALID_ARGUMENT
    metadata = grpc.aio.Metadata(*status.trailing_metadata)
    back = from_rpc(grpc.aio.AioRpcError(status.code, grpc.aio.Metadata(), metadata, status.details), "trainer")
    assert (back.reason, back.message, back.field) == (Reason.DATASET_MALFORMED, "line 3", "chunk")
    assert back.remedy == TABLE[Reason.DATASET_MALFORMED].remedy
    assert status_pb2.Status.FromString(dict(status.trailing_metadata)["grpc-status-details-bin"]).message == "line 3"


def test_unreachable_service_is_named() -> None:
    error = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "refused")
    back = from_rpc(error, "indexer")
    assert back.reason is Reason.SERVICE_UNAVAILABLE
    assert "indexer" in back.message
