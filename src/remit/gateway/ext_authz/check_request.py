# SPDX-License-Identifier: Apache-2.0
"""What Envoy says of one HTTP request, read strictly.

remit decides about the request that it reads here, and Envoy sends another copy of it upstream. So whatever
the two could read differently is refused: a body of which Envoy sent a part, a compressed body, a path that
is not the one form of a resource's path.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from remit.core.errors import Malformed

#: Envoy's own statement on whether it sent a part of the body; a client can send the header, too.
PARTIAL: Final = b"x-envoy-auth-partial-body"
_COMPLETE: Final = frozenset({b"false"})
#: A path in its one form: no escapes, no dots, no empty segments, no parameters, no query.
_PATH: Final = re.compile(r"/mcp(?:/([a-z0-9][a-z0-9._-]{0,62}))?")


class CheckedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request as Envoy received it.

    `headers` have lower-case names and keep repetitions where Envoy does. `source` is the address that Envoy
    took for the client's, and `pinned` the upstream that Envoy's route names (`context_extensions`).
    """

    method: str
    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    source: str = ""
    pinned: str = ""

    @property
    def upstream(self) -> str:
        """The upstream that the path names, empty for `/mcp`; raises `Malformed` for any other path."""
        found = _PATH.fullmatch(self.path)
        name = (found[1] or "") if found is not None else None
        if name is None or self.pinned not in ("", name):
            raise Malformed(
                "this address is no upstream's",
                code="path",
                remediation="use `/mcp/{upstream}` or `/mcp` exactly, without escapes and without a query",
            )
        return name


def read_request(message: Any) -> CheckedRequest:
    """Return the request of a `CheckRequest`; raise `Malformed` where Envoy contradicts itself."""
    attributes = message.attributes
    http = attributes.request.http
    headers: list[tuple[bytes, bytes]] = [
        (one.key.lower().encode(), one.raw_value or one.value.encode()) for one in http.header_map.headers
    ]
    headers += [(name.lower().encode(), value.encode()) for name, value in http.headers.items()]
    told = {":method": http.method, ":path": http.path}
    for name, value in headers:
        if told.get(name.decode("latin-1"), value.decode("latin-1")) != value.decode("latin-1"):
            raise _contradiction(f"`{name.decode('latin-1')}` differs from the request")
    if http.body and http.raw_body:
        raise _contradiction("the request has two bodies")
    body = http.raw_body or http.body.encode()
    _check_whole(headers, body, http.size)
    return CheckedRequest(
        method=http.method,
        path=http.path,
        headers=[one for one in headers if not one[0].startswith(b":")],
        body=body,
        source=attributes.source.address.socket_address.address,
        pinned=attributes.context_extensions.get("upstream", ""),
    )


def read_http(
    method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> CheckedRequest:
    """Return the request that Envoy's HTTP form repeats: method, target, headers and body are the client's.

    Raises `Malformed` unless Envoy says that a body is whole: its length is that of what Envoy sent. The form
    has no word on the client's address.
    """
    told = [one for one in headers if one[0] != b"content-length"]
    _check_whole(told, body, -1 if body else 0)
    return CheckedRequest(
        method=method.decode("latin-1"), path=target.decode("latin-1"), headers=headers, body=body
    )


def _check_whole(headers: list[tuple[bytes, bytes]], body: bytes, size: int) -> None:
    """Refuse a body of which a part is missing, or of which nothing says that it is whole."""
    flags = {value.strip().lower() for name, value in headers if name == PARTIAL}
    lengths = {value.strip() for name, value in headers if name == b"content-length"}
    same = lengths == {b"%d" % len(body)}
    unknown = size < 0 and not flags
    if flags - _COMPLETE or (lengths and not same) or size > len(body) or unknown:
        raise Malformed(
            "the proxy sent a part of the body",
            code="too-large",
            remediation="send less at once, or raise `with_request_body.max_request_bytes`",
        )
    if body and not flags and not same and size != len(body):
        raise Malformed(
            "the proxy does not say whether the body is whole",
            code="body-length",
            remediation="send the body with Content-Length, or configure `with_request_body`",
        )


def _contradiction(message: str) -> Malformed:
    return Malformed(message, code="contradiction", remediation="see the proxy's configuration")
