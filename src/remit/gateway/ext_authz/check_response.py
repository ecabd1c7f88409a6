# SPDX-License-Identifier: Apache-2.0
"""What Envoy does with a request: send it upstream without what was not decided, or answer it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from remit.gateway.asgi import JSON_TYPE, NO_STORE, HeaderLines
from remit.gateway.ext_authz.check_request import CheckedRequest
from remit.gateway.ext_authz.messages import message
from remit.gateway.tracing import travelling

#: How the upstream reads the body, and what it may answer: the client's words for it were checked, but could
#: say more, and some servers read a charset where there is none.
_OF_BODY: Final = (JSON_TYPE, (b"accept", b"application/json, text/event-stream"))
#: Request headers that go upstream. Every other one goes no further than Envoy: no grant, no decision and no
#: evidence has it, and a server could take it for Envoy's own word (`X-Forwarded-*`, names of users).
_PASSED: Final = frozenset(
    (
        b"accept", b"content-length", b"content-type", b"mcp-method", b"mcp-protocol-version",
        b"mcp-session-id", b"transfer-encoding",
    )
)  # fmt: skip
#: Always removed, seen or not: credentials for remit, and headers that replace method or path.
_REMOVED: Final = (
    "authorization", "cookie", "dpop", "proxy-authorization", "x-forwarded-authorization",
    "x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url",
)  # fmt: skip
#: The header that tells the upstream the id of the decision.
DECISION: Final = b"remit-decision"
_OVERWRITE: Final = 2
_PERMISSION_DENIED: Final = 7
_UNAUTHENTICATED: Final = 16
#: Envoy's HTTP form: the status of a permit, that of an answer in place of the upstream's (RFC 9110 section
#: 15.3.4), and the header that names what goes no further.
_PERMITTED: Final = 200
_NOT_OF_ORIGIN: Final = 203
_TO_REMOVE: Final = b"x-envoy-auth-headers-to-remove"


class PassedRequest(msgspec.Struct, frozen=True):
    """Envoy sends the request upstream.

    `decision` is the id of the permit, if one was needed; `told` are headers for the client's response, and
    `repeated` the headers of the request that repeat what was decided.
    """

    decision: str = ""
    told: HeaderLines = ()
    repeated: frozenset[bytes] = frozenset()


class AnsweredRequest(msgspec.Struct, frozen=True):
    """Envoy answers the request with this, and sends nothing upstream: a refusal, or a list of remit's."""

    status: int
    body: bytes = b""
    headers: HeaderLines = ()


def written(outcome: PassedRequest | AnsweredRequest, asked: CheckedRequest | None) -> Any:
    """Return the `CheckResponse`; an answer needs no request."""
    response = message("CheckResponse")()
    if isinstance(outcome, AnsweredRequest):
        response.status.code = _UNAUTHENTICATED if outcome.status == 401 else _PERMISSION_DENIED
        denied = response.denied_response
        denied.status.code = outcome.status
        denied.body = outcome.body.decode()
        _set(denied.headers, (NO_STORE, JSON_TYPE, *outcome.headers))
        return response
    assert asked is not None
    granted = response.ok_response
    _set(granted.headers, _said_upstream(outcome))
    _set(granted.response_headers_to_add, outcome.told)
    granted.headers_to_remove.extend(_removed(asked, outcome))
    return response


def written_http(
    outcome: PassedRequest | AnsweredRequest, asked: CheckedRequest | None
) -> tuple[int, HeaderLines, bytes]:
    """Return status, headers and body of the response in Envoy's HTTP form; an answer needs no request.

    INVARIANT: status 200 is a permit there, so an answer that says 200 says 203, "other than the origin's".
    """
    if isinstance(outcome, AnsweredRequest):
        status = _NOT_OF_ORIGIN if outcome.status == _PERMITTED else outcome.status
        return status, (NO_STORE, JSON_TYPE, *outcome.headers), outcome.body
    assert asked is not None
    removed = ",".join(_removed(asked, outcome)).encode("latin-1")
    return _PERMITTED, (*_said_upstream(outcome), *outcome.told, (_TO_REMOVE, removed)), b""


def _said_upstream(outcome: PassedRequest) -> HeaderLines:
    """Return the headers that the upstream gets from remit."""
    return (*_OF_BODY, (DECISION, outcome.decision.encode())) if outcome.decision else _OF_BODY


def _removed(asked: CheckedRequest, outcome: PassedRequest) -> list[str]:
    return sorted({*_REMOVED, *_undecided(asked, outcome)})


def _undecided(asked: CheckedRequest, outcome: PassedRequest) -> set[str]:
    """Return the names of headers that no decision knows."""
    kept = _PASSED | outcome.repeated | ({DECISION} if outcome.decision else set())
    names = {name for name, _ in asked.headers if name not in kept}
    traces = [value.decode("latin-1") for name, value in asked.headers if name == b"traceparent"]
    if len(traces) == 1 and travelling({"traceparent": traces[0]}):
        names.discard(b"traceparent")
    return {name.decode("latin-1") for name in names}


def _set(options: Any, headers: HeaderLines) -> None:
    first: set[bytes] = set()
    for name, value in headers:
        option = options.add()
        option.header.key = name.decode("latin-1")
        option.header.value = value.decode("latin-1")
        # The first one replaces what is there; `WWW-Authenticate` can have several.
        option.append_action = 0 if name in first else _OVERWRITE
        first.add(name)
