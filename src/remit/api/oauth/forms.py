# SPDX-License-Identifier: Apache-2.0
"""Messages of the OAuth endpoints: forms in (RFC 6749 appendix B), errors out (RFC 6749 section 5.2)."""

from __future__ import annotations

from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from remit.api.http_messages import answer, read
from remit.core.errors import Malformed, RemitError

FORM = "application/x-www-form-urlencoded"
MAX_FORM_BYTES = 65_536
#: Parameters that may be repeated: RFC 8707 section 2, RFC 8693 section 2.1.
REPEATABLE = frozenset({"resource", "audience"})
#: Maximum number of values of one parameter, because each value is processed.
MAX_REPEATED = 8


class OAuthError(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error of RFC 6749 section 5.2; `code` is remit's own code, if it is more precise."""

    error: str
    error_description: str
    code: str = ""


class OAuthRefused(RemitError):
    """A request that an OAuth endpoint refuses, with its OAuth code (RFC 6749 section 5.2).

    `scheme` is the authentication scheme that the client tried, if any.
    """

    def __init__(self, code: str, told: str, *, scheme: str = "", remediation: str = "") -> None:
        """Keep the registered code and a text for developers."""
        super().__init__(told, code=code, remediation=remediation)
        self.scheme = scheme


class GrantRefused(Malformed):
    """An invalid grant (`invalid_grant`); its own code gives the reason, in the evidence and in the
    answer.
    """


class Form(msgspec.Struct, frozen=True):
    """The parameters of a request: each has one value, except those that may be repeated."""

    given: dict[str, tuple[str, ...]] = {}

    def __contains__(self, name: str) -> bool:
        """Return whether a parameter is present with a value."""
        return name in self.given

    def get(self, name: str, default: str = "") -> str:
        """Return the value of a parameter that cannot be repeated."""
        found = self.given.get(name)
        return found[0] if found else default

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values of a parameter that may be repeated."""
        return self.given.get(name, ())

    def need(self, name: str) -> str:
        """Return the value of a parameter; raise `OAuthRefused` if it is missing."""
        if name not in self.given:
            raise OAuthRefused("invalid_request", f"`{name}` is missing")
        return self.get(name)


async def read_form(request: Request) -> Form:
    """Read the form of a request; raise `Malformed` or `OAuthRefused`."""
    data = await read(request, FORM, MAX_FORM_BYTES)
    if request.query_params:
        # RFC 6749 section 2.3.1: client credentials must not be in the URL.
        raise OAuthRefused("invalid_request", "send parameters in the body")
    return parse_form(data)


def parse_form(data: bytes) -> Form:
    """Return the parameters of a form; raise `OAuthRefused` for an ambiguous form."""
    try:
        pairs = parse_qsl(
            data.decode("utf-8"), keep_blank_values=True, strict_parsing=bool(data), errors="strict"
        )
    except (UnicodeDecodeError, ValueError):
        raise OAuthRefused("invalid_request", "the form cannot be read") from None
    given: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        # RFC 6749 section 3.2: parameters must not be included more than once.
        if name in given and name not in REPEATABLE:
            raise OAuthRefused("invalid_request", "a parameter is given twice")
        given[name] = (*given.get(name, ()), value)
        if len(given[name]) > MAX_REPEATED:
            raise OAuthRefused("invalid_request", "a parameter is given too often")
    # RFC 6749 section 3.2: parameters without a value must be treated as if they were omitted.
    filled = {name: tuple(one for one in values if one) for name, values in given.items()}
    return Form({name: values for name, values in filled.items() if values})


def error_answer(code: str, told: str, *, scheme: str = "", status: int = 0, detail: str = "") -> Response:
    """Return an error in the form of RFC 6749 section 5.2; `detail` is remit's own code."""
    refused_client = code == "invalid_client"
    response = answer(OAuthError(code, printable(told), detail), status or (401 if refused_client else 400))
    if refused_client:
        # RFC 6749 section 5.2: the scheme that the client tried, if any.
        response.headers["WWW-Authenticate"] = scheme if scheme in ("Basic", "Bearer", "DPoP") else "Bearer"
    return response


def printable(text: str) -> str:
    """Return a text with only the characters that an `error_description` permits."""
    # RFC 6749 section 5.2: %x20-21 / %x23-5B / %x5D-7E.
    return "".join(char if " " <= char <= "~" and char not in '"\\' else "'" for char in text)
