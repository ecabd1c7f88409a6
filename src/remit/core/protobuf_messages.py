# SPDX-License-Identifier: Apache-2.0
"""Messages of gRPC interfaces, described by tables instead of generated code.

A table names the fields of each message that remit reads or writes; every other field is skipped, as protobuf
does with fields that a program does not know. Each interface has its own descriptor pool, because a program
that is also its client has its own description of the same messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_File = descriptor_pb2.FileDescriptorProto
_Field = descriptor_pb2.FieldDescriptorProto

STRING: Final = _Field.TYPE_STRING
BYTES: Final = _Field.TYPE_BYTES
BOOL: Final = _Field.TYPE_BOOL
#: Also an enumeration: on the wire it is the number of its value.
INT32: Final = _Field.TYPE_INT32
INT64: Final = _Field.TYPE_INT64

#: Name, number and type (for a message, its name) of each field, by message. `*` before a name makes it
#: repeated, `{}` after a name maps strings to the type.
Tables = Mapping[str, tuple[tuple[str, int, Any], ...]]


def described(name: str, tables: Tables, *needed: Any) -> Callable[[str], Any]:
    """Return a function that returns the class of a message by its name; `needed` are further descriptors.

    Source: protobuf, descriptor.proto.
    """
    pool = descriptor_pool.DescriptorPool()
    file = _File(name=f"remit/{name}.proto", syntax="proto3")
    for other in needed:
        copied = _File()
        other.CopyToProto(copied)
        pool.Add(copied)
        file.dependency.append(other.name)
    for message, fields in tables.items():
        _describe(file.message_type.add(name=message), fields)
    pool.Add(file)

    def found(message: str) -> Any:
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(message))

    return found


def _describe(message: descriptor_pb2.DescriptorProto, fields: tuple[tuple[str, int, Any], ...]) -> None:
    for written, number, kind in fields:
        field = message.field.add(
            name=written.strip("*{}"),
            number=number,
            label=_Field.LABEL_REPEATED if written[0] == "*" else _Field.LABEL_OPTIONAL,
        )
        if written.endswith("{}"):
            _map(message, field, kind)
        elif isinstance(kind, str):
            field.type = _Field.TYPE_MESSAGE
            field.type_name = f".{kind}"
        else:
            field.type = kind


def _map(message: descriptor_pb2.DescriptorProto, field: _Field, kind: Any) -> None:
    """Describe a map field as protobuf does: as a repeated entry of key and value."""
    entry = message.nested_type.add(name=f"{field.name.title().replace('_', '')}Entry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=STRING, label=_Field.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=kind, label=_Field.LABEL_OPTIONAL)
    field.label = _Field.LABEL_REPEATED
    field.type = _Field.TYPE_MESSAGE
    field.type_name = f".{message.name}.{entry.name}"
