# SPDX-License-Identifier: Apache-2.0
"""The headers of a request to an API: who asks, what the body is, and what is meant for the API.

Three kinds: what the door reads itself; what says nothing of the request (what clients and proxies add by
themselves), which is dropped; and all else, which must be a declared parameter or is refused. None of it goes
upstream as it came.
"""

from __future__ import annotations

import re
from typing import Final

from remit.core.errors import Malformed
from remit.core.tools.http_api import Route
from remit.gateway.tracing import TRACING

#: Read by the door, whatever a document declares.
_READ: Final = frozenset(
    {
        "authorization", "proxy-authorization", "dpop", "host", "origin", "content-type", "content-length",
        "content-encoding", *TRACING,
    }
)  # fmt: skip
#: Dropped where nobody declares it.
_IDLE = re.compile(
    r"accept|accept-(?:charset|encoding|language)|user-agent|connection|keep-alive|te|trailer|transfer-encoding"
    r"|proxy-connection|upgrade|http2-settings|expect|date|from|referer|pragma|cache-control|priority|dnt"
    r"|upgrade-insecure-requests|sec-[a-z-]+|x-forwarded-[a-z-]+|forwarded|via|x-real-ip|x-request-id"
    r"|x-correlation-id|x-amzn-trace-id|x-cloud-trace-context|x-b3-[a-z]+|b3|x-envoy-[a-z-]+|cdn-loop"
    r"|max-forwards|remit-task|content-md5|content-digest|repr-digest"
)


class ApiHead:
    """The headers of one request. `twice` are names that came more than once."""

    __slots__ = ("_others", "authorization", "proofs", "twice", "values")

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        """Read them in one pass; the ASGI server has put the names in lower case."""
        self.authorization: list[bytes] = []
        self.proofs: list[bytes] = []
        self.values: dict[str, str] = {}
        self.twice: set[str] = set()
        self._others: dict[str, str] = {}
        for name_bytes, value in raw:
            name = name_bytes.decode("latin-1")
            if name == "authorization":
                self.authorization.append(value)
            elif name == "dpop":
                self.proofs.append(value)
            else:
                home = self.values if name in _READ else self._others
                if name in home:
                    self.twice.add(name)
                home[name] = value.decode("latin-1")

    def get(self, name: str) -> str:
        """Return the value of a header that the door reads; empty where it is absent."""
        return self.values.get(name, "")

    @property
    def media(self) -> str:
        """The media type of the body, without parameters; raises `Malformed` where it has more than one."""
        if self.twice & {"content-type", "content-length", "content-encoding", "host"}:
            raise Malformed(
                f"`{min(self.twice)}` is given twice", code="given-twice", remediation="give it once"
            )
        if self.get("content-encoding").strip().lower() not in ("", "identity"):
            raise Malformed(
                "the body is compressed",
                code="content-encoding",
                remediation="send it without Content-Encoding",
            )
        kind, _, parameters = self.get("content-type").partition(";")
        for one in parameters.lower().split(";"):
            name, _, value = one.partition("=")
            if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "us-ascii"):
                raise Malformed(
                    "the body is not in UTF-8", code="content-type", remediation="send it in UTF-8"
                )
        return kind.strip().lower()

    def meant(self, route: Route) -> dict[str, str]:
        """Return what is meant for the API; raises `Malformed` for what could be read in two ways."""
        declared = {parameter.name.lower() for parameter in route.headers}
        out = {
            name: value
            for name, value in self._others.items()
            if name in declared or not _IDLE.fullmatch(name)
        }
        if doubled := sorted(self.twice & out.keys()):
            raise Malformed(
                f"`{doubled[0][:80]}` is given twice", code="given-twice", remediation="give it once"
            )
        return out
