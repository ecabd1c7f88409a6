# SPDX-License-Identifier: Apache-2.0
"""Our description of the Workload API's messages is that of the SPIFFE project, in its Python client."""

import pytest
from spiffe._proto import workload_pb2

from remit.api.spiffe.messages import SERVICE, message

NAMES = [name for name in workload_pb2.DESCRIPTOR.message_types_by_name if not name.endswith("Entry")]


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_the_same(name: str) -> None:
    """Name, number, type, repetition; of maps also key and value."""
    ours, theirs = message(name).DESCRIPTOR, workload_pb2.DESCRIPTOR.message_types_by_name[name]
    assert [_of(field) for field in ours.fields] == [_of(field) for field in theirs.fields]


def _of(field: object) -> tuple[object, ...]:
    inner = getattr(field, "message_type", None)
    nested = [_of(one) for one in inner.fields] if inner is not None and inner.GetOptions().map_entry else []
    return (
        getattr(field, "name"),  # noqa: B009 - a descriptor of C++, which no stub describes whole
        getattr(field, "number"),  # noqa: B009
        getattr(field, "type"),  # noqa: B009
        getattr(field, "is_repeated"),  # noqa: B009
        inner.full_name if inner is not None and not nested else "",
        nested,
    )


def test_the_service_has_the_same_name_and_methods() -> None:
    """Five methods, of which three stream."""
    (service,) = workload_pb2.DESCRIPTOR.services_by_name.values()
    assert service.full_name == SERVICE
    assert sorted(method.name for method in service.methods) == [
        "FetchJWTBundles",
        "FetchJWTSVID",
        "FetchX509Bundles",
        "FetchX509SVID",
        "ValidateJWTSVID",
    ]
