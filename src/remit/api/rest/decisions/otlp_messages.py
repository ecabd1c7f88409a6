# SPDX-License-Identifier: Apache-2.0
"""OTLP's messages in their binary encoding, as far as they are read, described here instead of generated.

They are in a separate descriptor pool: a program that also exports telemetry has its own description of them.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.tasks.model_usage import READ, check_parts

PROTOBUF: Final = "application/x-protobuf"
_File = descriptor_pb2.FileDescriptorProto
_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE: Final = "remit.otlp"

# Field: name, number and type (for a message, its name). `*` before a name makes it repeated.
_MESSAGES: dict[str, tuple[tuple[str, int, Any], ...]] = {
    "Request": (("*resource_spans", 1, "ResourceSpans"),),
    "ResourceSpans": (("*scope_spans", 2, "ScopeSpans"),),
    "ScopeSpans": (("*spans", 2, "Span"),),
    "Span": (
        ("trace_id", 1, _Field.TYPE_BYTES),
        ("span_id", 2, _Field.TYPE_BYTES),
        ("*attributes", 9, "KeyValue"),
    ),
    "KeyValue": (("key", 1, _Field.TYPE_STRING), ("value", 2, "AnyValue")),
    "AnyValue": (("string_value", 1, _Field.TYPE_STRING), ("int_value", 3, _Field.TYPE_INT64)),
    "Response": (("partial_success", 1, "PartialSuccess"),),
    "PartialSuccess": (("rejected_spans", 1, _Field.TYPE_INT64), ("error_message", 2, _Field.TYPE_STRING)),
}


def _classes() -> dict[str, Any]:
    described = _File(name="remit/otlp.proto", syntax="proto3", package=_PACKAGE)
    for name, fields in _MESSAGES.items():
        message = described.message_type.add(name=name)
        if name == "AnyValue":
            message.oneof_decl.add(name="value")
        for written, number, kind in fields:
            field = message.field.add(
                name=written.strip("*"),
                number=number,
                label=_Field.LABEL_REPEATED if written[0] == "*" else _Field.LABEL_OPTIONAL,
            )
            if isinstance(kind, str):
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                field.type = kind
            if name == "AnyValue":
                field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(described)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


_CLASSES: Final = _classes()


def read_report(content: bytes) -> Json:
    """Return an `ExportTraceServiceRequest` in the form of its JSON encoding; raise `Malformed`."""
    try:
        report = _CLASSES["Request"].FromString(content)
    except (DecodeError, RecursionError):
        raise Malformed(
            "the body is no OTLP report", remediation="send an ExportTraceServiceRequest"
        ) from None
    # An empty part takes two bytes here, and a hundred times as much as an object.
    parts = 0
    spans: list[Json] = []
    for resource in report.resource_spans:
        parts += 1 + len(resource.scope_spans)
        for scope in resource.scope_spans:
            parts += len(scope.spans)
            check_parts(parts)
            for span in scope.spans:
                parts += len(span.attributes)
                check_parts(parts)
                spans.append(_span(span))
        check_parts(parts)
    return {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}], "binary": True}


def _span(span: Any) -> dict[str, Json]:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "attributes": [
            {"key": one.key, "value": _value(one.value)} for one in span.attributes if one.key in READ
        ],
    }


def _value(value: Any) -> dict[str, Json]:
    match value.WhichOneof("value"):
        case "string_value":
            return {"stringValue": value.string_value}
        case "int_value":
            return {"intValue": value.int_value}
    return {}


def written_response(rejected: int, why: str) -> bytes:
    """Return an `ExportTraceServiceResponse`."""
    response = _CLASSES["Response"]()
    if rejected:
        response.partial_success.rejected_spans = rejected
        response.partial_success.error_message = why
    return bytes(response.SerializeToString())
