"""Proto messages as JSON, and their JSON schemas for the API's description."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, cast

from fastapi.responses import JSONResponse
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from pydantic import BaseModel, create_model

_INT64 = {FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_SINT64}
_SCALARS: dict[int, type] = {
    FieldDescriptor.CPPTYPE_BOOL: bool,
    FieldDescriptor.CPPTYPE_DOUBLE: float,
    FieldDescriptor.CPPTYPE_FLOAT: float,
    FieldDescriptor.CPPTYPE_INT32: int,
    FieldDescriptor.CPPTYPE_INT64: int,
    FieldDescriptor.CPPTYPE_STRING: str,
    FieldDescriptor.CPPTYPE_UINT32: int,
    FieldDescriptor.CPPTYPE_UINT64: int,
}


def to_json(message: Message) -> dict[str, Any]:
    """A message with the names of its proto, defaults included, 64-bit integers as numbers and times as RFC 3339.

    The standard mapping writes 64-bit integers as strings; sizes and counts here stay far below 2**53.
    """
    plain = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return cast(dict[str, Any], _with_numbers(plain, message.DESCRIPTOR))


def json_response(message: Message, status: int = 200) -> JSONResponse:
    """A message as the body of a response."""
    return JSONResponse(to_json(message), status_code=status)


@cache
def schema_of(message: type[Message]) -> type[BaseModel]:
    """A pydantic model of the shape that `to_json` gives; it documents responses and validates nothing."""
    return _model(message.DESCRIPTOR)


def _with_numbers(value: Any, descriptor: Any) -> Any:
    for field in descriptor.fields:
        if field.name not in value:
            continue
        if field.type in _INT64:
            found = value[field.name]
            value[field.name] = [int(v) for v in found] if field.is_repeated else int(found)
        elif _is_map(field):
            inner = field.message_type.fields_by_name["value"]
            if inner.type in _INT64:
                value[field.name] = {k: int(v) for k, v in value[field.name].items()}
        elif field.message_type is not None and not _is_time(field):
            found = value[field.name]
            for item in found if field.is_repeated else [found]:
                _with_numbers(item, field.message_type)
    return value


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _is_time(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp"


@cache
def _model(descriptor: Any) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for field in descriptor.fields:
        kind = _type(field)
        optional = field.has_presence or field.containing_oneof is not None
        fields[field.name] = (kind | None, None) if optional else (kind, ...)
    return cast(type[BaseModel], create_model(descriptor.name, **fields))


def _type(field: Any) -> Any:
    if _is_map(field):
        return dict[str, _type(field.message_type.fields_by_name["value"])]  # type: ignore[misc]
    if _is_time(field):
        kind: Any = str
    elif field.message_type is not None:
        kind = _model(field.message_type)
    elif field.enum_type is not None:
        kind = Literal[tuple(v.name for v in field.enum_type.values)]
    else:
        kind = _SCALARS[field.cpp_type]
    return list[kind] if field.is_repeated else kind
