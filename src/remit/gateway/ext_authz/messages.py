# SPDX-License-Identifier: Apache-2.0
"""The messages of Envoy's external authorization (`envoy.service.auth.v3`), as far as they count here."""

from __future__ import annotations

from typing import Final

from remit.core.protobuf_messages import BYTES, INT32, INT64, STRING, Tables, described

CHECK: Final = "/envoy.service.auth.v3.Authorization/Check"

_MESSAGES: Tables = {
    "CheckRequest": (("attributes", 1, "AttributeContext"),),
    "AttributeContext": (
        ("source", 1, "Peer"),
        ("request", 4, "Request"),
        ("context_extensions{}", 10, STRING),
    ),
    "Peer": (("address", 1, "Address"),),
    "Address": (("socket_address", 1, "SocketAddress"),),
    "SocketAddress": (("address", 2, STRING),),
    "Request": (("http", 2, "HttpRequest"),),
    "HttpRequest": (
        ("method", 2, STRING),
        ("headers{}", 3, STRING),
        ("path", 4, STRING),
        ("size", 9, INT64),
        ("body", 11, STRING),
        ("raw_body", 12, BYTES),
        ("header_map", 13, "HeaderMap"),
    ),
    "HeaderMap": (("*headers", 1, "HeaderValue"),),
    "HeaderValue": (("key", 1, STRING), ("value", 2, STRING), ("raw_value", 3, BYTES)),
    "CheckResponse": (
        ("status", 1, "Status"),
        ("denied_response", 2, "DeniedHttpResponse"),
        ("ok_response", 3, "OkHttpResponse"),
    ),
    "Status": (("code", 1, INT32), ("message", 2, STRING)),
    "DeniedHttpResponse": (
        ("status", 1, "HttpStatus"),
        ("*headers", 2, "HeaderValueOption"),
        ("body", 3, STRING),
    ),
    "HttpStatus": (("code", 1, INT32),),
    "OkHttpResponse": (
        ("*headers", 2, "HeaderValueOption"),
        ("*headers_to_remove", 5, STRING),
        ("*response_headers_to_add", 6, "HeaderValueOption"),
    ),
    "HeaderValueOption": (("header", 1, "HeaderValue"), ("append_action", 3, INT32)),
}

#: Returns the class of a message.
message = described("ext_authz", _MESSAGES)
