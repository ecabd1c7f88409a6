# SPDX-License-Identifier: Apache-2.0
"""The authorization endpoint (RFC 6749 section 3.1): checks the request, asks the person, answers the
application.

The server keeps no state between showing the page and the person's answer: the request is in the URL (or was
pushed), and is checked again with the answer.
"""

from __future__ import annotations

import contextlib
from datetime import timedelta
from urllib.parse import quote, urlencode

import msgspec
from starlette.responses import Response

from remit.api.oauth.browser import consent
from remit.api.oauth.browser.authorization_request import what_is_asked, who_asks
from remit.api.oauth.browser.authorization_response import AskedConsent, answer_error
from remit.api.oauth.browser.rendering import MAX_THEN_CHARS, PageRequest
from remit.api.oauth.forms import Form, OAuthRefused, parse_form
from remit.api.oauth.paths import AUTHORIZE_PATH, SIGN_IN_PATH
from remit.core.errors import Busy, Malformed, RemitError, Unauthenticated
from remit.core.oauth.one_time_code import AuthorizationRequest, PushedRequest

#: RFC 9126 section 2.2: the prefix of the `request_uri` of a pushed request.
PUSHED_PREFIX = "urn:ietf:params:oauth:request_uri:"


async def authorize(visit: PageRequest) -> Response:
    """Show the consent page, or send the person to sign in first."""
    found = await _asked(visit)
    if isinstance(found, Response):
        return found
    request = found.request
    if visit.seat is None or _must_sign_in(visit, request):
        if "none" in request.prompt:
            return answer_error(visit, request, found.applicant, "login_required", "no person is signed in")
        fresh = visit.seat is not None
        return visit.go(_sign_in_first(visit) + ("&fresh=1" if fresh else ""))
    if "none" in request.prompt:
        # Each authorization is one task, and only the person can state the task.
        return answer_error(
            visit, request, found.applicant, "interaction_required", "the person must choose the task"
        )
    wanted = parse_form(visit.request.url.query.encode()).get("task_type") or request.task_type
    return await consent.show(visit, found, wanted)


async def decide(visit: PageRequest) -> Response:
    """Process the person's answer."""
    found = await _asked(visit)
    if isinstance(found, Response):
        return found
    if visit.seat is None:
        return visit.go(_sign_in_first(visit))
    return await consent.answered(visit, found, await visit.form())


async def _asked(visit: PageRequest) -> AskedConsent | Response:
    """Return the checked request.

    Raise `Malformed`, which becomes a page, for an invalid client or redirect URI. Return any other error as
    an answer to the application.
    """
    query = visit.request.url.query
    if len(query) > MAX_THEN_CHARS // 2:
        raise Malformed("the request is too long", remediation="push the request instead (RFC 9126)")
    rooms = visit.rooms
    try:
        form = parse_form(query.encode())
        if "request_uri" in form:
            return await _pushed(visit, form)
        applicant, redirect_uri = await who_asks(form, rooms)
    except Busy:
        raise
    except RemitError as error:
        # RFC 6749 section 4.1.2.1: without a valid client and redirect URI, nothing is sent to the
        # application.
        refused = Unauthenticated(
            error.message, code=f"authorize-{error.code}", remediation=error.remediation
        )
        with contextlib.suppress(RemitError):  # the refusal holds even if the store cannot record it
            await rooms.identity.authenticator.refused(refused, "authorize")
        raise Malformed(error.message, code=error.code, remediation=error.remediation) from None
    try:
        request = what_is_asked(form, rooms, applicant, redirect_uri)
    except OAuthRefused as error:
        partial = AuthorizationRequest(
            client_id=applicant.client_id,
            redirect_uri=redirect_uri,
            state=form.get("state")[:2048],
            code_challenge="",
        )
        return answer_error(visit, partial, applicant, error.code, error.message)
    return AskedConsent(
        request=request,
        applicant=applicant,
        pushed="",
        again=f"{AUTHORIZE_PATH}?{_without(query, 'task_type')}",
    )


async def _pushed(visit: PageRequest, form: Form) -> AskedConsent:
    people = visit.rooms.people
    value = form.need("request_uri").removeprefix(PUSHED_PREFIX)
    ticket = await people.browsers.tickets.look(value)
    held = ticket.holds if ticket and ticket.open_at(visit.rooms.clock.now()) else None
    # RFC 9126 section 4: the client is the one that pushed the request; other parameters in the URL are
    # ignored.
    if not isinstance(held, PushedRequest) or held.request.client_id != form.need("client_id"):
        raise Malformed(
            "this request is unknown, already answered or expired",
            code="request-uri",
            remediation="start again in the application",
        )
    request = held.request
    if ticket and visit.seat and "login" in request.prompt and visit.seat.session.created >= ticket.created:
        request = msgspec.structs.replace(request, prompt=())
    applicant = await people.consents.applicant(request.client_id, request.agent)
    again = urlencode({"client_id": request.client_id, "request_uri": PUSHED_PREFIX + value})
    return AskedConsent(request=request, applicant=applicant, pushed=value, again=f"{AUTHORIZE_PATH}?{again}")


def _must_sign_in(visit: PageRequest, request: AuthorizationRequest) -> bool:
    if visit.seat is None or "login" in request.prompt or "select_account" in request.prompt:
        return True
    if request.max_age_s is None:
        return False
    # Some seconds pass between the authentication and this page, so `max_age` counts as at least 30 seconds.
    age = visit.rooms.clock.now() - visit.seat.authenticated
    return age > timedelta(seconds=max(request.max_age_s, 30))


def _sign_in_first(visit: PageRequest) -> str:
    """Return the URL of the sign-in page that leads back to this page without the `prompt` that it has then
    met.
    """
    query = visit.request.url.query
    back = query if "prompt=none" in query.split("&") else _without(query, "prompt")
    return f"{SIGN_IN_PATH}?then={quote(f'{AUTHORIZE_PATH}?{back}', safe='')}"


def _without(query: str, name: str) -> str:
    return "&".join(part for part in query.split("&") if part.partition("=")[0] != name)
