# SPDX-License-Identifier: Apache-2.0
"""HTTP messages: strict reading of bodies and queries, and writing of answers and problems (RFC 9457)."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from remit.core.canonical import MAX_REQUEST_VALUES, parse_strict
from remit.core.errors import (
    Busy,
    ConfigInvalid,
    Conflict,
    Forbidden,
    KeyUnavailable,
    Malformed,
    NotFound,
    PolicyUnavailable,
    ProofRefused,
    RemitError,
    StoreUnavailable,
    Unauthenticated,
    repeatable,
)
from remit.core.json_value import Json
from remit.core.oauth.dpop import ALGORITHMS

T = TypeVar("T")

JSON = "application/json"
PROBLEM = "application/problem+json"
#: Management answers must not be cached, sniffed or framed.
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

#: Seconds within which a complete body must arrive.
BODY_TIMEOUT_S = 30.0

_BY_CODE = {
    "too-large": 413,
    "body-timeout": 408,
    "content-type": 415,
    "content-encoding": 415,
    "too-many-tries": 429,
    "method": 405,
}
_BY_FAULT: tuple[tuple[type[RemitError], int], ...] = (
    (Unauthenticated, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Malformed, 400),
    (ConfigInvalid, 400),
    (Busy, 503),
    (StoreUnavailable, 503),
    (KeyUnavailable, 503),
    (PolicyUnavailable, 503),
)
_ENCODER = msgspec.json.Encoder()


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error in the form of RFC 9457.

    `code` is stable, `remediation` is how to correct the error, `step` is the step of a call (1 to 9), if
    any.
    """

    type: str = msgspec.field(default_factory=lambda: "about:blank")
    title: str
    status: int
    detail: str
    code: str
    step: int | None = None
    remediation: str = ""


def status_of(error: RemitError) -> int:
    """Return the HTTP status of an error; 500 for an internal error that is no known shortage."""
    if isinstance(error, Malformed | Busy) and error.code in _BY_CODE:
        return _BY_CODE[error.code]
    return next((status for kind, status in _BY_FAULT if isinstance(error, kind)), 500)


def problem(error: RemitError) -> Response:
    """Return an error as an answer; for an internal error it reveals only the code."""
    status = status_of(error)
    told = status != 500
    details = ProblemDetails(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.message if told else "internal error",
        code=error.code,
        step=error.step,
        remediation=error.remediation if told else "check the log of remit",
    )
    headers = dict(HEADERS)
    if isinstance(error, ProofRefused):
        # RFC 9449 sections 7.1 and 9.
        headers["WWW-Authenticate"] = f'DPoP error="{error.error}", algs="{" ".join(ALGORITHMS)}"'
        if error.nonce:
            headers["DPoP-Nonce"] = error.nonce
    elif status == 401:
        # RFC 6750 section 3.
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    if status in (429, 503) and repeatable(error):
        headers["Retry-After"] = "1"
    return Response(_ENCODER.encode(details), status_code=status, headers=headers, media_type=PROBLEM)


def answer(value: object, status: int = 200) -> Response:
    """Return a value as a JSON answer."""
    if status == 204:
        return Response(status_code=204, headers=HEADERS)
    return Response(_ENCODER.encode(value), status_code=status, headers=HEADERS, media_type=JSON)


async def read(request: Request, media: str, max_bytes: int) -> bytes:
    """Read a body of one media type; raise `Malformed` for another media type or a body that is too large."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Malformed(
            "the body is compressed", code="content-encoding", remediation="send it without Content-Encoding"
        )
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                found += chunk
                if len(found) > max_bytes:
                    raise Malformed(f"the body is over the limit of {max_bytes} bytes", code="too-large")
    except TimeoutError:
        raise Malformed("the body did not arrive in time", code="body-timeout") from None
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != media and (found or given):
        raise Malformed(
            f"the body is not `{media}`", code="content-type", remediation=f"send Content-Type: {media}"
        )
    return bytes(found)


async def body(request: Request, kind: type[T], *, max_bytes: int, max_depth: int) -> T:
    """Read a JSON body of a known type; refuse unknown fields and ambiguous JSON."""
    data = await read(request, JSON, max_bytes)
    value = parse_strict(
        data or b"{}", max_bytes=max_bytes, max_depth=max_depth, max_values=MAX_REQUEST_VALUES
    )
    return shaped(value, kind, strict=True)


async def no_body(request: Request) -> None:
    """Refuse a body for an endpoint that takes none; an empty object counts as no body."""
    if (await read(request, JSON, 1024)).strip() not in (b"", b"{}"):
        raise Malformed("only an empty body is accepted here", remediation="send no body")


def query(request: Request, kind: type[T]) -> T:
    """Read the query string into a known type; refuse unknown and repeated parameters."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise Malformed(f"`{name[:80]}` is given twice", remediation="give it once")
        given[name] = value
    return shaped(given, kind, strict=False)


def no_query(request: Request) -> None:
    """Refuse parameters for an endpoint that takes none, because they would silently have no effect."""
    for name in request.query_params:
        raise Malformed(f"parameter `{name[:80]}` does not exist", remediation="remove it")


def shaped(value: Json, kind: type[T], *, strict: bool) -> T:
    """Return a value converted to a known type; raise `Malformed` that names the place of a mismatch."""
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        told = str(error)
        raise Malformed(
            told[:1].lower() + told[1:400], code="shape", remediation="see /api/v1/openapi.json"
        ) from None
