# SPDX-License-Identifier: Apache-2.0
"""The forward proxy: an agent whose `HTTP_PROXY` is remit reaches the hosts of configured APIs, and no other.

A request in absolute form (RFC 9112 section 3.2.2) for such a host is a request of the HTTP door, with all
that is true of it. The token stands in `Proxy-Authorization`: as `Bearer` or `DPoP`, or as the password of
`Basic`, which is what `http://task:TOKEN@remit:8700` in the environment becomes. `Authorization` is the
credential of the API, which is remit's to send: one that the agent shows is dropped.

`CONNECT` is refused: what goes through a tunnel nobody decides about. See docs/adr/0028-forward-proxy.md.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from remit.core.errors import Unauthenticated
from remit.gateway.http.problems import HttpProblem
from remit.gateway.http.request_state import ApiArrival

_TARGET = re.compile(
    rb"http://(?P<host>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
    rb"(?P<path>/[^?#\s]*)?(?:\?[^#\s]*)?"
)
_PORTS: Final = {"http": 80, "https": 443}


class _Place(NamedTuple):
    """Where one API is: an agent may write `http` and the usual port for what remit reaches over TLS."""

    upstream: str
    host: str
    ports: frozenset[int]
    path: bytes


class ForwardProxy:
    """Finds what a request to a proxy is for."""

    def __init__(self, bases: Mapping[str, str], public_url: str) -> None:
        """Take the addresses of the APIs by upstream, and that of remit itself."""
        self._public_url = public_url.rstrip("/")
        # The longer path first: two APIs of one host are told apart by theirs.
        self._places = sorted(
            (_place(name, base) for name, base in bases.items()), key=lambda one: -len(one.path)
        )

    def arrival(self, target: bytes, authorization: list[bytes]) -> ApiArrival:
        """Return what a target in absolute form is for; of one that is no API's the upstream is empty.

        `authorization` are the values of `Proxy-Authorization`; raises `HttpProblem`.
        """
        found = _TARGET.fullmatch(target)
        if found is None:
            raise HttpProblem(
                "only plain `http://HOST/...` is asked of this proxy",
                400,
                code="bad-target",
                remediation=f"call `{self._public_url}/http/UPSTREAM/...` instead, over TLS as far as remit",
            )
        host = found["host"].decode("ascii").lower().strip("[]")
        port = int(found["port"] or 80)
        path = found["path"] or b"/"
        signed = target.partition(b"?")[0].decode("ascii")
        shown = [_unwrapped(one) for one in authorization]
        for place in self._places:
            if host != place.host or port not in place.ports:
                continue
            if not place.path or path.startswith(place.path + b"/"):
                authority = target.split(b"/", 3)[2].decode("ascii")
                where = f"http://{authority}{place.path.decode('ascii')}"
                return ApiArrival(place.upstream, path[len(place.path) :], shown, signed, where, proxied=True)
        return ApiArrival("", path, shown, signed, "", proxied=True)

    def tunnel(self) -> HttpProblem:
        """Return the refusal of `CONNECT`."""
        return HttpProblem(
            "`CONNECT` is refused: nobody could decide about what goes through a tunnel",
            405,
            code="connect",
            remediation=f"call `{self._public_url}/http/UPSTREAM/...`, or ask this proxy for plain "
            "`http://HOST/...`: remit speaks TLS to the API",
            headers=((b"allow", b"GET, POST, PUT, PATCH, DELETE"), (b"connection", b"close")),
        )


def foreign_host() -> HttpProblem:
    """Return the refusal of a host that is no API of remit."""
    return HttpProblem(
        "this proxy reaches the APIs of remit, and this address is none of theirs",
        403,
        code="foreign-host",
        remediation="see `remit tool list` for the APIs that there are",
        step=3,
    )


def _place(name: str, base: str) -> _Place:
    parts = urlsplit(base)
    port = parts.port or _PORTS[parts.scheme]
    # TLS begins at remit: `http://api.example/` asks for what is at `https://api.example/`.
    ports = frozenset({port, 80}) if (parts.scheme, port) == ("https", 443) else frozenset({port})
    return _Place(name, parts.hostname or "", ports, parts.path.rstrip("/").encode("ascii"))


def _unwrapped(value: bytes) -> bytes:
    """Return `Basic` with a token as its password as the `Bearer` that it stands for."""
    kind, _, rest = value.partition(b" ")
    if kind.lower() != b"basic":
        return value
    token = password_of(rest.strip())
    if not token:
        raise Unauthenticated(
            "the proxy is shown no usable token",
            code="bad-authorization",
            remediation="give the token of the task as the password: `HTTP_PROXY=http://task:TOKEN@HOST:PORT`",
            step=1,
        )
    return b"Bearer " + token


def password_of(credentials: bytes) -> bytes:
    """Return the token that stands as the password in credentials of `Basic`; empty where none does."""
    try:
        token = base64.b64decode(credentials, validate=True).partition(b":")[2]
    except ValueError:
        return b""
    return b"" if re.search(rb"[^\x21-\x7e]", token) else token
