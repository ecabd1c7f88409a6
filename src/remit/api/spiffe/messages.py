# SPDX-License-Identifier: Apache-2.0
"""The messages of the Workload API (SPIFFE Workload API, appendix A), described here instead of generated.

They are in a separate descriptor pool: a program that is also a client of the API has its own description of
them.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2

_File = descriptor_pb2.FileDescriptorProto
_Field = descriptor_pb2.FieldDescriptorProto

STRING: Final = _Field.TYPE_STRING
BYTES: Final = _Field.TYPE_BYTES

# Field: name, number and type (for a message, its name). `*` before a name makes it repeated, `{}` after a
# name maps strings to bytes.
_MESSAGES: dict[str, tuple[tuple[str, int, Any], ...]] = {
    "X509SVIDRequest": (),
    "X509SVIDResponse": (("*svids", 1, "X509SVID"), ("*crl", 2, BYTES), ("federated_bundles{}", 3, BYTES)),
    "X509SVID": (
        ("spiffe_id", 1, STRING),
        ("x509_svid", 2, BYTES),
        ("x509_svid_key", 3, BYTES),
        ("bundle", 4, BYTES),
        ("hint", 5, STRING),
    ),
    "X509BundlesRequest": (),
    "X509BundlesResponse": (("*crl", 1, BYTES), ("bundles{}", 2, BYTES)),
    "JWTSVIDRequest": (("*audience", 1, STRING), ("spiffe_id", 2, STRING)),
    "JWTSVIDResponse": (("*svids", 1, "JWTSVID"),),
    "JWTSVID": (("spiffe_id", 1, STRING), ("svid", 2, STRING), ("hint", 3, STRING)),
    "JWTBundlesRequest": (),
    "JWTBundlesResponse": (("bundles{}", 1, BYTES),),
    "ValidateJWTSVIDRequest": (("audience", 1, STRING), ("svid", 2, STRING)),
    "ValidateJWTSVIDResponse": (("spiffe_id", 1, STRING), ("claims", 2, "google.protobuf.Struct")),
}

SERVICE: Final = "SpiffeWorkloadAPI"


def _described() -> _File:
    described = _File(
        name="remit/workload.proto", syntax="proto3", dependency=["google/protobuf/struct.proto"]
    )
    for name, fields in _MESSAGES.items():
        message = described.message_type.add(name=name)
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
    return described


def _map(message: descriptor_pb2.DescriptorProto, field: _Field, kind: Any) -> None:
    """Describe a map field as protobuf does: as a repeated entry of key and value."""
    entry = message.nested_type.add(name=f"{field.name.title().replace('_', '')}Entry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=STRING, label=_Field.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=kind, label=_Field.LABEL_OPTIONAL)
    field.label = _Field.LABEL_REPEATED
    field.type = _Field.TYPE_MESSAGE
    field.type_name = f".{message.name}.{entry.name}"


_POOL: Final = descriptor_pool.DescriptorPool()
_needed = _File()
struct_pb2.DESCRIPTOR.CopyToProto(_needed)
_POOL.Add(_needed)
_POOL.Add(_described())


def message(name: str) -> Any:
    """Return the class of a message."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(name))
