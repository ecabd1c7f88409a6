# SPDX-License-Identifier: Apache-2.0
"""What an authorization request comes to, and how its answer reaches the application."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from starlette.responses import Response

from remit.api.oauth.browser.rendering import PageRequest
from remit.api.oauth.forms import printable
from remit.core.oauth.client_metadata import host_of
from remit.core.oauth.one_time_code import AuthorizationRequest
from remit.services.people.consents import Applicant


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedConsent:
    """A request that holds: `pushed` is its ticket where it was pushed, `again` the page's own address."""

    request: AuthorizationRequest
    applicant: Applicant
    pushed: str
    again: str


def answer_error(
    visit: PageRequest, request: AuthorizationRequest, applicant: Applicant, code: str, told: str
) -> Response:
    """Send an error to the application (RFC 6749 section 4.1.2.1).

    RFC 9700 section 4.11.2: anybody can publish an application, and a link to remit that leads on by itself
    to wherever they like. Where nobody here has vouched for that address, a person goes on.
    """
    address = answer_address(visit, request, {"error": code, "error_description": printable(told)})
    if applicant.vouched:
        return visit.go(address)
    return visit.draw(
        "leave.html",
        address=address,
        host=host_of(request.redirect_uri),
        granted=False,
        told=told,
        waits=True,
    )


def answer_address(visit: PageRequest, request: AuthorizationRequest, answer: dict[str, str]) -> str:
    """Return the address of an answer to the application."""
    # RFC 9207 section 2: `iss` goes with every answer, so that no other server's is taken for it.
    sent = answer | ({"state": request.state} if request.state else {})
    sent |= {"iss": visit.rooms.identity.authenticator.issuer}
    joint = "&" if urlsplit(request.redirect_uri).query else "?"
    return request.redirect_uri + joint + urlencode(sent)


def leave(
    visit: PageRequest, request: AuthorizationRequest, answer: dict[str, str], *, granted: bool
) -> Response:
    """Send the browser back to the application, from a page: a form's answer may not lead to another host."""
    return visit.draw(
        "leave.html",
        address=answer_address(visit, request, answer),
        host=host_of(request.redirect_uri),
        granted=granted,
        told="",
        waits=False,
    )
