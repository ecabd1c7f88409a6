# SPDX-License-Identifier: Apache-2.0
"""The outcome of an authorization request, and the ways to send it to the application."""

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
    """A valid request: `pushed` is its ticket if it was pushed, `again` the URL of the consent page."""

    request: AuthorizationRequest
    applicant: Applicant
    pushed: str
    again: str


def answer_error(
    visit: PageRequest, request: AuthorizationRequest, applicant: Applicant, code: str, told: str
) -> Response:
    """Send an error to the application (RFC 6749 section 4.1.2.1).

    RFC 9700 section 4.11.2: any person can publish an application and a link to remit that redirects to any
    site at once. Unless the application is registered here with a metadata document, the person must
    therefore click to continue.
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
    """Return the URL that carries an answer to the application."""
    # RFC 9207 section 2: every answer carries `iss`, so that it cannot be taken for another server's answer.
    sent = answer | ({"state": request.state} if request.state else {})
    sent |= {"iss": visit.rooms.identity.authenticator.issuer}
    joint = "&" if urlsplit(request.redirect_uri).query else "?"
    return request.redirect_uri + joint + urlencode(sent)


def leave(
    visit: PageRequest, request: AuthorizationRequest, answer: dict[str, str], *, granted: bool
) -> Response:
    """Send the browser back to the application from a page, because a form's answer may not lead to another
    host.
    """
    return visit.draw(
        "leave.html",
        address=answer_address(visit, request, answer),
        host=host_of(request.redirect_uri),
        granted=granted,
        told="",
        waits=False,
    )
