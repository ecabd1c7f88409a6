# SPDX-License-Identifier: Apache-2.0
"""Passkeys at a browser: challenges and answers as JSON, for the only script of remit's pages."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from starlette.responses import Response

from remit.api.http_messages import JSON, answer, read
from remit.api.oauth.browser.rendering import PageRequest, own_page
from remit.core.canonical import parse_strict
from remit.core.errors import Forbidden, Malformed, Unauthenticated
from remit.core.json_value import Json
from remit.services.people.sessions import BrowserSeat

Answer = Callable[[PageRequest], Awaitable[Response]]

MAX_ANSWER_BYTES = 65_536


async def challenge(visit: PageRequest) -> Response:
    """Return the options for signing in, or (`for: "register"`) for a new passkey of the signed-in person."""
    asked = await _read(visit)
    passkeys = visit.rooms.people.passkeys
    if asked.get("for") == "register":
        return visit.with_cookies(
            answer(await passkeys.begin_registration(_fresh(visit).person, visit.visitor))
        )
    return visit.with_cookies(answer(await passkeys.begin_sign_in(visit.visitor)))


async def sign_in(visit: PageRequest) -> Response:
    """Sign a person in by a passkey; return the URL of the next page."""
    asked = await _read(visit)
    secret = await visit.rooms.people.passkeys.sign_in(
        visit.visitor, _credential(asked), place=visit.place, replacing=visit.session_secret
    )
    visit.signed_in(secret)
    return visit.with_cookies(answer({"then": own_page(str(asked.get("then", "")))}))


async def register(visit: PageRequest) -> Response:
    """Register a new passkey of the signed-in person."""
    asked = await _read(visit)
    kept = await visit.rooms.people.passkeys.register(
        _fresh(visit), visit.visitor, _credential(asked), str(asked.get("name", ""))
    )
    return visit.with_cookies(answer({"id": kept.id, "then": own_page("")}))


def _fresh(visit: PageRequest) -> BrowserSeat:
    """Return the session; require a recent sign-in, because a passkey opens everything that its person may
    do.
    """
    seat = visit.seat
    if seat is None:
        raise Unauthenticated("you are not signed in", code="no-session", remediation="sign in first")
    if not seat.fresh(visit.rooms.clock.now(), visit.rooms.people.consents.rules.fresh_s):
        raise Forbidden("sign in again to add a passkey", code="not-fresh", remediation="sign in again")
    return seat


async def _read(visit: PageRequest) -> dict[str, Json]:
    data = await read(visit.request, JSON, MAX_ANSWER_BYTES)
    value = parse_strict(data, max_bytes=MAX_ANSWER_BYTES, max_depth=8)
    if not isinstance(value, dict):
        raise Malformed("this is not an object", remediation="use remit's own pages")
    # A form of another site cannot send this header, and another site cannot know the value.
    given = visit.request.headers.get("x-remit-form", "")
    if not hmac.compare_digest(given.encode(), visit.csrf.encode()):
        raise Forbidden(
            "this request does not belong to this session", code="csrf", remediation="reload the page"
        )
    return value


def _credential(asked: dict[str, Json]) -> dict[str, Json]:
    value = asked.get("credential")
    if not isinstance(value, dict):
        raise Malformed("the request has no credential", remediation="use remit's own pages")
    return value
