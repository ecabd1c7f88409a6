# SPDX-License-Identifier: Apache-2.0
"""Reception of security event tokens that a transmitter pushes (RFC 8935)."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from remit.api.http_messages import HEADERS, JSON, read, status_of
from remit.core.errors import Conflict, Malformed, RemitError, Unauthenticated
from remit.core.keys.jws import MAX_COMPACT_BYTES
from remit.core.signals.security_event_token import SET_MEDIA
from remit.services.limits.request_bodies import body_of
from remit.services.signals.receiver import HeardSignals

#: Error codes of RFC 8935 section 2.4, and of the IANA registry that it established.
_CODES: Final = frozenset(
    {"invalid_request", "invalid_key", "invalid_issuer", "invalid_audience", "authentication_failed"}
)


async def push(request: Request, heard: HeardSignals) -> Response:
    """Accept one token: answer 202 once its effects are durable (RFC 8935 section 2.2)."""
    try:
        given = request.headers.getlist("authorization")
        transmitter = heard.authenticate(
            str(request.path_params["transmitter"]), given[0] if len(given) == 1 else ""
        )
        body_of(request.scope, f"transmitter {transmitter.name}")
        body = await read(request, SET_MEDIA, MAX_COMPACT_BYTES)
        if not body.isascii():
            raise Malformed("this is not a security event token", code="invalid_request")
        await heard.receive(transmitter.name, body.decode("ascii").strip())
    except RemitError as error:
        return failed(error)
    return Response(status_code=202, headers=HEADERS)


def failed(error: RemitError) -> Response:
    """Return an error in the form of RFC 8935 section 2.3: status 400, except 401, 408, 413, 415, 429 and
    503.
    """
    # A conflict here is not the token's fault: the transmitter retries.
    status = 503 if isinstance(error, Conflict) else status_of(error)
    headers = dict(HEADERS)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if status in (429, 503):
        headers["Retry-After"] = "1"
    if status >= 500 and status != 503:
        return Response(status_code=status, headers=headers)
    told = {
        "err": error.code if error.code in _CODES else "invalid_request",
        "description": str(error),
    }
    return Response(msgspec.json.encode(told), status_code=status, headers=headers, media_type=JSON)
