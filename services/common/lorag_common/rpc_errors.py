"""Domain errors to gRPC statuses and back, both by the one table in `lorag_common.errors`."""

from __future__ import annotations

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from lorag_common.errors import LoragError, Reason

DOMAIN = "lorag"


def to_status(error: LoragError) -> grpc.Status:
    """`google.rpc.Status` with ErrorInfo (reason; the remedy as metadata) and, where there is one, the field."""
    details = [
        _pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata={"remedy": error.remedy}))
    ]
    if error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.message)
        details.append(_pack(error_details_pb2.BadRequest(field_violations=[violation])))
    code = code_pb2.Code.Value(error.code)
    status: grpc.Status = rpc_status.to_status(status_pb2.Status(code=code, message=error.message, details=details))
    return status


def from_rpc(error: grpc.aio.AioRpcError, service: str) -> LoragError:
    """The domain error that a service of ours answered with; SERVICE_UNAVAILABLE when it could not be reached."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            return _from_details(status)
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return LoragError(Reason.SERVICE_UNAVAILABLE, f"The {service} service does not answer.")
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return LoragError(Reason.DEADLINE, f"The {service} service did not answer in time.")
    if error.code() is grpc.StatusCode.CANCELLED:
        return LoragError(Reason.CANCELLED, "The call was cancelled.")
    return LoragError(Reason.INTERNAL, f"The {service} service failed: {error.code().name}.")


def _from_details(status: status_pb2.Status) -> LoragError:
    reason, remedy, field = Reason.INTERNAL, None, None
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo.FromString(detail.value)
            reason = Reason(info.reason) if info.reason in Reason.__members__ else Reason.INTERNAL
            remedy = info.metadata.get("remedy") or None
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            field = error_details_pb2.BadRequest.FromString(detail.value).field_violations[0].field
    return LoragError(reason, status.message, remedy=remedy, field=field)


def _pack(message: object) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)  # type: ignore[arg-type]
    return packed
