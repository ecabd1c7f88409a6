# SPDX-License-Identifier: Apache-2.0
"""The routes of the pages for people, and of pushed requests."""

from __future__ import annotations

from importlib import resources
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from remit.api.oauth.browser import (
    account,
    authorization_endpoint,
    passkeys,
    pushed_requests,
    sign_in,
    terminal_login,
)
from remit.api.oauth.browser.rate_limits import AnonymousLimits
from remit.api.oauth.browser.rendering import PageRequest, Serve, paged
from remit.api.oauth.browser.rooms import PageRooms
from remit.api.oauth.paths import (
    ACCOUNT_PATH,
    ARRIVAL_PATH,
    AUTHORIZE_PATH,
    CONNECTED_PATH,
    PASSKEY_PATH,
    PUSHED_PATH,
    SCRIPT_PATH,
    SIGN_IN_PATH,
    SIGN_OUT_PATH,
    STYLE_PATH,
    TERMINAL_PATH,
)
from remit.services.limits.sign_in_attempts import SignInAttempts

#: Pages to which other sites (applications and the organisation's provider) may send a browser, with GET and
#: as a top-level page. A `/` at the end includes all pages directly below. A GET of these pages changes
#: nothing: a change needs a form of remit.
NAVIGABLE: Final = frozenset(
    {AUTHORIZE_PATH, ARRIVAL_PATH, SIGN_IN_PATH, ACCOUNT_PATH, CONNECTED_PATH + "/", TERMINAL_PATH}
)


def routes(
    rooms: PageRooms, tries: SignInAttempts, *, remote_sign_in: bool
) -> tuple[tuple[str, dict[str, Serve]], ...]:
    """Return every path for people, with the handler of each method."""

    async def by_code(visit: PageRequest) -> Response:
        return await sign_in.by_code(visit, tries, remote=remote_sign_in)

    strangers = AnonymousLimits(rooms.clock)

    async def push(request: Request) -> Response:
        return await pushed_requests.push(request, rooms, strangers)

    async def challenge(visit: PageRequest) -> Response:
        strangers.check(visit.request)
        return await passkeys.challenge(visit)

    async def to_provider(visit: PageRequest) -> Response:
        strangers.check(visit.request)
        return await sign_in.to_provider(visit)

    def of(method: str, serve: Serve) -> dict[str, Serve]:
        return {method: serve}

    return (
        (
            AUTHORIZE_PATH,
            {
                "GET": paged(authorization_endpoint.authorize, rooms),
                "POST": paged(authorization_endpoint.decide, rooms),
            },
        ),
        (PUSHED_PATH, of("POST", push)),
        (SIGN_IN_PATH, {"GET": paged(sign_in.show, rooms), "POST": paged(by_code, rooms)}),
        (SIGN_IN_PATH + "/with/{provider}", of("GET", paged(to_provider, rooms))),
        (ARRIVAL_PATH, of("GET", paged(sign_in.arrive, rooms))),
        (SIGN_OUT_PATH, of("POST", paged(sign_in.sign_out, rooms))),
        (ACCOUNT_PATH, {"GET": paged(account.show, rooms), "POST": paged(account.change, rooms)}),
        (CONNECTED_PATH + "/{upstream}", of("GET", paged(account.arrive, rooms))),
        (
            TERMINAL_PATH,
            {"GET": paged(terminal_login.show, rooms), "POST": paged(terminal_login.decide, rooms)},
        ),
        (PASSKEY_PATH + "/challenge", of("POST", _plain(challenge, rooms))),
        (PASSKEY_PATH + "/sign-in", of("POST", _plain(passkeys.sign_in, rooms))),
        (PASSKEY_PATH + "/register", of("POST", _plain(passkeys.register, rooms))),
        (STYLE_PATH, of("GET", _file("style.css", "text/css"))),
        (SCRIPT_PATH, of("GET", _file("passkey.js", "text/javascript"))),
    )


def _plain(serve: passkeys.Answer, rooms: PageRooms) -> Serve:
    """Return a handler for the passkey script; errors become problems at the edge of the application."""

    async def answered(request: Request) -> Response:
        return await serve(await PageRequest.enter(request, rooms))

    return answered


def _file(name: str, media_type: str) -> Serve:
    content = resources.files("remit.api.oauth").joinpath("static", name).read_bytes()
    headers = {"Cache-Control": "max-age=300", "X-Content-Type-Options": "nosniff"}

    async def given(_: Request) -> Response:
        return Response(content, headers=headers, media_type=media_type)

    return given
