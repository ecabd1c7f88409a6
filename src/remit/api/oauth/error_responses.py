# SPDX-License-Identifier: Apache-2.0
"""The edge of the endpoints for programs: errors become OAuth errors, and refusals are recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from remit.api.http_messages import status_of
from remit.api.oauth.forms import GrantRefused, OAuthRefused, error_answer
from remit.api.oauth.rooms import OAuthRooms
from remit.core.errors import (
    Conflict,
    Fenced,
    Forbidden,
    Malformed,
    NotFound,
    ProofRefused,
    RemitError,
    Unauthenticated,
)
from remit.core.oauth.mission import BAD_DETAILS

#: Codes of RFC 6749, RFC 8707, RFC 9396 and RFC 7009 that services raise and that are returned unchanged.
_CODES: Final = frozenset(
    {"invalid_grant", "invalid_scope", "invalid_target", "unauthorized_client", "invalid_client", BAD_DETAILS}
)
#: Codes for authority that a parent task could not delegate.
_TOO_MUCH: Final = frozenset({"tool-not-granted", "too-many-grants"})
#: Refusals that concern the caller, and are recorded in the evidence.
_RECORDED: Final = _CODES - {"invalid_scope", "invalid_target"}


async def answered(
    request: Request, rooms: OAuthRooms, serve: Callable[[], Awaitable[Response]], *, endpoint: str = "oauth"
) -> Response:
    """Serve a request of a program, and turn every error into an OAuth error."""
    try:
        return await serve()
    except ProofRefused as error:
        await _record(rooms, error, endpoint)
        response = error_answer(error.error, error.message)
        if error.nonce:
            response.headers["DPoP-Nonce"] = error.nonce
        return response
    except Unauthenticated as error:
        await _record(rooms, error, endpoint)
        return error_answer("invalid_client", str(error))
    except RemitError as error:
        status = status_of(error)
        if (status >= 500 or status == 429) and not isinstance(error, OAuthRefused):
            # RFC 6749 defines no code for a server fault at the token endpoint; these are its codes for the
            # authorization endpoint.
            busy = status in (429, 503)
            told = error.message if busy else "internal error"
            return error_answer("temporarily_unavailable" if busy else "server_error", told, status=status)
        code = _code(error)
        if code in _RECORDED:
            await _record(rooms, error, endpoint)
        scheme = error.scheme if isinstance(error, OAuthRefused) else ""
        return error_answer(
            code,
            str(error),
            scheme=scheme,
            status=status if status in (408, 413) else 0,
            detail=error.code if error.code != code else "",
        )


def _code(error: RemitError) -> str:
    if isinstance(error, OAuthRefused) or error.code in _CODES:
        return error.code
    if isinstance(error, GrantRefused):
        return "invalid_grant"
    if error.code in _TOO_MUCH:
        return BAD_DETAILS
    if isinstance(error, Forbidden | Fenced | Conflict) or error.code == "no-task":
        return "invalid_grant"
    if isinstance(error, NotFound | Malformed):
        return "invalid_request"
    return "server_error"


async def _record(rooms: OAuthRooms, error: RemitError, endpoint: str) -> None:
    with contextlib.suppress(RemitError):  # the refusal holds even if the store cannot record it
        await rooms.identity.authenticator.refused(error, endpoint)
