# SPDX-License-Identifier: Apache-2.0
"""What travels: reading bodies and queries strictly, and writing answers and problems (RFC 9457)."""

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
#: Nothing that a management door answers may be kept by a cache, sniffed, or framed.
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

#: Seconds within which a body must have come.
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
    """A fault as RFC 9457 writes it. `code` is stable, `remediation` says what would make it work, `step` is
    the step of a call (1 to 9) where there is one.
    """

    type: str = msgspec.field(default_factory=lambda: "about:blank")
    title: str
    status: int
    detail: str
    code: str
    step: int | None = None
    remediation: str = ""


def status_of(error: RemitError) -> int:
    """Return the HTTP status of a fault; 500 for what is no fault of the caller and no known shortage."""
    if isinstance(error, Malformed | Busy) and error.code in _BY_CODE:
        return _BY_CODE[error.code]
    return next((status for kind, status in _BY_FAULT if isinstance(error, kind)), 500)


def problem(error: RemitError) -> Response:
    """Return a fault as an answer; one that is no fault of the caller tells nothing but its code."""
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
    """Read a body of one media type; raises `Malformed` for another one, or for too much."""
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
    """Read a JSON body of a known shape; an unknown field, or a second reading of the text, is refused."""
    data = await read(request, JSON, max_bytes)
    value = parse_strict(
        data or b"{}", max_bytes=max_bytes, max_depth=max_depth, max_values=MAX_REQUEST_VALUES
    )
    return shaped(value, kind, strict=True)


async def no_body(request: Request) -> None:
    """Make sure that nothing is sent where nothing is taken; an empty object counts as nothing."""
    if (await read(request, JSON, 1024)).strip() not in (b"", b"{}"):
        raise Malformed("only an empty body is accepted here", remediation="send no body")


def query(request: Request, kind: type[T]) -> T:
    """Read the query string into a known shape; a parameter that is unknown or given twice is refused."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise Malformed(f"`{name[:80]}` is given twice", remediation="give it once")
        given[name] = value
    return shaped(given, kind, strict=False)


def no_query(request: Request) -> None:
    """Make sure that no parameter is given where none is known: it would be silently without effect."""
    for name in request.query_params:
        raise Malformed(f"parameter `{name[:80]}` does not exist", remediation="remove it")


def shaped(value: Json, kind: type[T], *, strict: bool) -> T:
    """Return a value of a known shape; raises `Malformed` that says where it does not fit."""
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        told = str(error)
        raise Malformed(
            told[:1].lower() + told[1:400], code="shape", remediation="see /api/v1/openapi.json"
        ) from None
