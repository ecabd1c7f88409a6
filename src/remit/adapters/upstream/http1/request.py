# SPDX-License-Identifier: Apache-2.0
"""The head of a request, encoded so that every reader agrees about where it ends."""

import re
from collections.abc import Sequence

from remit.adapters.upstream.http1.address import Origin
from remit.core.errors import Malformed

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_ORIGIN_FORM = re.compile(rb"/[\x21\x22\x24-\x7e]*")  # RFC 9112 section 3.2.1; `#` would be a fragment
_METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))
# RFC 9112 section 6.3: requests with these methods need no `content-length` when they have no body.
_BODILESS = frozenset((b"GET", b"HEAD", b"OPTIONS"))
# Only this client writes headers that frame the message or control the connection.
_RESERVED = frozenset(
    (
        b"accept-encoding",
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
# RFC 9110 section 5.5: every character below space except the tab, and DEL.
_CONTROLS = bytes([*range(0x09), *range(0x0A, 0x20), 0x7F])
_MAX_KNOWN_NAMES = 1024
_MAX_KEPT = 1024


class SteadyHeaders(tuple[tuple[bytes, bytes], ...]):
    """Headers that many requests share; their validation and encoding are cached.

    They contain no header of a single request and no credential.
    """

    __slots__ = ()


class RequestHead:
    """Encodes the heads of requests to one origin."""

    def __init__(self, origin: Origin) -> None:
        """Precompute the part that is the same in every request."""
        authority = origin.authority.encode("ascii")
        self._fixed = b" HTTP/1.1\r\nhost: " + authority + b"\r\naccept-encoding: identity\r\n"
        # Validated names. Callers use few; the bound keeps unusual names from filling memory.
        self._known: set[bytes] = set()
        # Cached heads, up to the `content-length`.
        self._kept: dict[tuple[bytes, bytes, SteadyHeaders], bytes] = {}

    def encode(
        self, method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]], body_bytes: int
    ) -> bytes:
        """Return the head's bytes; raises `Malformed` for anything that could change where the head ends.

        `target` is in origin form; `headers` contain neither framing nor connection headers (`content-length`
        is written here from `body_bytes`).
        """
        if type(headers) is not SteadyHeaders:
            return self._begun(method, target, headers) + _end(method, body_bytes)
        key = (method, target, headers)
        begun = self._kept.get(key)
        if begun is None:
            begun = self._begun(method, target, headers)
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            self._kept[key] = begun
        return begun + _end(method, body_bytes)

    def _begun(self, method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
        """Return the head up to the `content-length`."""
        if method not in _METHODS:
            raise Malformed(
                f"the method `{ascii(method)[2:-1]}` may not be sent to upstreams",
                remediation="use a plain HTTP method",
            )
        if not _ORIGIN_FORM.fullmatch(target):
            raise Malformed(
                "the request target is not a path with an optional query",
                remediation="percent-encode it, begin it with `/`",
            )
        known = self._known
        parts = [method, b" ", target, self._fixed]
        values = []
        for name, value in headers:
            if name not in known:
                self._learn(name)
            parts += (name, b": ", value, b"\r\n")
            values.append(value)
        joined = b"".join(values)
        if len(joined.translate(None, _CONTROLS)) != len(joined):
            raise Malformed("a header value contains a control character", remediation="encode the value")
        return b"".join(parts)

    def _learn(self, name: bytes) -> None:
        """Validate a header's name, and remember it."""
        if not _TOKEN.fullmatch(name):
            raise Malformed(
                f"the header name `{ascii(name)[2:-1]}` is not a token",
                remediation="use letters, digits and hyphens",
            )
        if name.lower() in _RESERVED:
            raise Malformed(
                f"the header `{name.decode('ascii')}` is set by the client itself",
                remediation="remove it",
            )
        if len(self._known) < _MAX_KNOWN_NAMES:
            self._known.add(name)


def _end(method: bytes, body_bytes: int) -> bytes:
    if body_bytes or method not in _BODILESS:
        return b"content-length: %d\r\n\r\n" % body_bytes
    return b"\r\n"
