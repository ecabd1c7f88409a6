# SPDX-License-Identifier: Apache-2.0
"""The headers of a request to an API: credentials, the form of the body, and headers for the API.

There are three kinds. The endpoint reads some headers itself. Headers that clients and proxies add by
themselves are dropped. Any other header must be a declared parameter, or the request is refused. No header is
forwarded unchanged.
"""

from __future__ import annotations

import re
from typing import Final

from remit.core.errors import Malformed
from remit.core.tools.http_api import Route
from remit.gateway import approval_outcome, stated_reason
from remit.gateway.tracing import TRACING

#: Read by the endpoint, whatever an API description declares.
_READ: Final = frozenset(
    {
        "authorization", "proxy-authorization", "dpop", "host", "origin", "content-type", "content-length",
        "content-encoding", stated_reason.HEADER, approval_outcome.HEADER, *TRACING,
    }
)  # fmt: skip
#: Dropped unless declared.
_IDLE = re.compile(
    r"accept|accept-(?:charset|encoding|language)|user-agent|connection|keep-alive|te|trailer|transfer-encoding"
    r"|proxy-connection|upgrade|http2-settings|expect|date|from|referer|pragma|cache-control|priority|dnt"
    r"|upgrade-insecure-requests|sec-[a-z-]+|x-forwarded-[a-z-]+|forwarded|via|x-real-ip|x-request-id"
    r"|x-correlation-id|x-amzn-trace-id|x-cloud-trace-context|x-b3-[a-z]+|b3|x-envoy-[a-z-]+|cdn-loop"
    r"|max-forwards|remit-task|content-md5|content-digest|repr-digest"
)


class ApiHead:
    """The headers of one request. `twice` are names that occur more than once."""

    __slots__ = ("_others", "authorization", "proofs", "twice", "values")

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        """Read the headers in one pass; the ASGI server has converted the names to lower case."""
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
        """Return the value of a header that the endpoint reads; an empty text if it is absent."""
        return self.values.get(name, "")

    @property
    def media(self) -> str:
        """The media type of the body, without parameters.

        Raise `Malformed` for a repeated header, a compressed body or another charset than UTF-8.
        """
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
        """Return the headers for the API; raise `Malformed` for a repeated one, which is ambiguous."""
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
