# SPDX-License-Identifier: Apache-2.0
"""Sign-in at a browser: at the organisation's provider, with a passkey, or with a one-time code."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from remit.api.oauth.browser.rendering import PageRequest, own_page
from remit.api.oauth.forms import parse_form
from remit.api.oauth.paths import ACCOUNT_PATH, ARRIVAL_PATH, SIGN_IN_PATH
from remit.api.rest.identity.sign_in import is_loopback
from remit.core.errors import Forbidden, RemitError, SourceUnavailable, Unauthenticated
from remit.services.limits.client_address import seen_from
from remit.services.limits.sign_in_attempts import SignInAttempts


async def show(visit: PageRequest) -> Response:
    """Show the ways to sign in; send a signed-in person on, unless a new authentication is required."""
    asked = visit.request.query_params
    then, fresh = own_page(asked.get("then", "")), asked.get("fresh") == "1"
    if visit.seat is not None and not fresh:
        return visit.go(then)
    return draw(visit, then, fresh=fresh)


def draw(
    visit: PageRequest, then: str, *, fresh: bool = False, told: str = "", status: int = 200
) -> Response:
    """Return the page."""
    people = visit.rooms.people
    return visit.draw(
        "sign_in.html",
        status=status,
        script=people.passkeys.offered,
        then=then,
        fresh=fresh,
        told=told,
        passkeys=people.passkeys.offered,
        providers=[(name, one.title) for name, one in people.browsers.entrances.items()],
        after=f"then={quote(then, safe='')}" + ("&fresh=1" if fresh else ""),
    )


async def by_code(visit: PageRequest, tries: SignInAttempts, *, remote: bool) -> Response:
    """Sign a person in by a one-time code; only from this machine, unless configured otherwise."""
    form = await visit.form()
    then = own_page(form.get("then"))
    client = visit.request.client.host if visit.request.client else ""
    proxied = any(
        name in visit.request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip", "via")
    )
    # All users of this machine share its address: failed attempts of one must not block the others.
    apart = proxied or not is_loopback(client)
    if not remote and apart:
        raise Forbidden(
            "sign-in with a code works only on the machine that runs remit",
            code="not-loopback",
            remediation="use a passkey or your organisation's sign-in, or set `sign_in.remote_codes` to true",
        )
    if apart:
        tries.check(seen_from(visit.request.scope))
    try:
        secret = await visit.rooms.people.browsers.by_code(
            form.get("code"), place=visit.place, replacing=visit.session_secret
        )
    except Unauthenticated as error:
        if apart:
            tries.failed(seen_from(visit.request.scope))
        return draw(visit, then, told=str(error), status=401)
    visit.signed_in(secret)
    return visit.go(then)


async def to_provider(visit: PageRequest) -> Response:
    """Send the person to the organisation's identity provider."""
    asked = visit.request.query_params
    then = own_page(asked.get("then", ""))
    try:
        address = await visit.rooms.people.browsers.leave_for(
            str(visit.request.path_params["provider"]),
            browser=visit.visitor,
            then=then,
            redirect_uri=visit.rooms.people.origin + ARRIVAL_PATH,
            fresh=asked.get("fresh") == "1",
        )
    except SourceUnavailable as error:
        return draw(visit, then, told=str(error), status=503)
    return visit.go(address)


async def arrive(visit: PageRequest) -> Response:
    """Sign in a person who returns from a provider."""
    form = parse_form(visit.request.url.query.encode())
    try:
        secret, then = await visit.rooms.people.browsers.arrive(
            state=form.get("state"),
            code=form.get("code"),
            issuer=form.get("iss"),
            browser=visit.visitor,
            redirect_uri=visit.rooms.people.origin + ARRIVAL_PATH,
            place=visit.place,
            replacing=visit.session_secret,
        )
    except (Unauthenticated, Forbidden, SourceUnavailable) as error:
        status = 503 if isinstance(error, SourceUnavailable) else 403
        return draw(visit, own_page(""), told=str(error), status=status)
    visit.signed_in(secret)
    return visit.go(own_page(then))


async def sign_out(visit: PageRequest) -> Response:
    """End the browser's session."""
    await visit.form()
    if visit.seat is not None:
        try:
            await visit.rooms.people.browsers.close(visit.seat)
        except RemitError as error:
            raise RemitError("the session could not be ended", remediation="try again") from error
    visit.signed_out()
    return visit.go(SIGN_IN_PATH)


def first(visit: PageRequest, then: str = ACCOUNT_PATH, *, fresh: bool = False) -> Response:
    """Send the person to sign in, and then back to a page of remit."""
    return visit.go(f"{SIGN_IN_PATH}?then={quote(then, safe='')}" + ("&fresh=1" if fresh else ""))
