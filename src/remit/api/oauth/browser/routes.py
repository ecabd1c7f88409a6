# SPDX-License-Identifier: Apache-2.0
"""The routes of people's pages, and the pushed requests that lead there."""

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
from remit.services.assembly.services import Services
from remit.services.limits.sign_in_attempts import SignInAttempts

#: Pages to which other sites may send a browser, with GET and as a page of its own: applications, and the
#: organisation's provider; with a `/` at its end all directly below it. Nothing changes there without a form
#: of ours.
NAVIGABLE: Final = frozenset(
    {AUTHORIZE_PATH, ARRIVAL_PATH, SIGN_IN_PATH, ACCOUNT_PATH, CONNECTED_PATH + "/", TERMINAL_PATH}
)


def routes(
    house: Services, tries: SignInAttempts, *, remote_sign_in: bool
) -> tuple[tuple[str, dict[str, Serve]], ...]:
    """Return every path that is for people, with what answers each method there."""

    async def by_code(visit: PageRequest) -> Response:
        return await sign_in.by_code(visit, tries, remote=remote_sign_in)

    strangers = AnonymousLimits(house.clock)

    async def push(request: Request) -> Response:
        return await pushed_requests.push(request, house, strangers)

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
                "GET": paged(authorization_endpoint.authorize, house),
                "POST": paged(authorization_endpoint.decide, house),
            },
        ),
        (PUSHED_PATH, of("POST", push)),
        (SIGN_IN_PATH, {"GET": paged(sign_in.show, house), "POST": paged(by_code, house)}),
        (SIGN_IN_PATH + "/with/{provider}", of("GET", paged(to_provider, house))),
        (ARRIVAL_PATH, of("GET", paged(sign_in.arrive, house))),
        (SIGN_OUT_PATH, of("POST", paged(sign_in.sign_out, house))),
        (ACCOUNT_PATH, {"GET": paged(account.show, house), "POST": paged(account.change, house)}),
        (CONNECTED_PATH + "/{upstream}", of("GET", paged(account.arrive, house))),
        (
            TERMINAL_PATH,
            {"GET": paged(terminal_login.show, house), "POST": paged(terminal_login.decide, house)},
        ),
        (PASSKEY_PATH + "/challenge", of("POST", _plain(challenge, house))),
        (PASSKEY_PATH + "/sign-in", of("POST", _plain(passkeys.sign_in, house))),
        (PASSKEY_PATH + "/register", of("POST", _plain(passkeys.register, house))),
        (STYLE_PATH, of("GET", _file("style.css", "text/css"))),
        (SCRIPT_PATH, of("GET", _file("passkey.js", "text/javascript"))),
    )


def _plain(serve: passkeys.Answer, house: Services) -> Serve:
    """Serve the script: what is raised becomes a problem at the door's edge."""

    async def answered(request: Request) -> Response:
        return await serve(await PageRequest.enter(request, house))

    return answered


def _file(name: str, media_type: str) -> Serve:
    content = resources.files("remit.api.oauth").joinpath("static", name).read_bytes()
    headers = {"Cache-Control": "max-age=300", "X-Content-Type-Options": "nosniff"}

    async def given(_: Request) -> Response:
        return Response(content, headers=headers, media_type=media_type)

    return given
