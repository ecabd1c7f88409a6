# SPDX-License-Identifier: Apache-2.0
"""`remit login` through the browser: a person permits a command line on their own computer to act for them.

It follows RFC 8252 for native applications: the answer goes to a port of this computer. The code is useless
without the verifier, which only the waiting program knows (RFC 7636).
"""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from urllib.parse import quote, urlencode

from starlette.responses import Response

from remit.api.oauth.browser import sign_in
from remit.api.oauth.browser.rendering import PageRequest
from remit.api.oauth.forms import parse_form
from remit.api.oauth.paths import TERMINAL_PATH
from remit.core.errors import Malformed
from remit.core.oauth.client_metadata import check_redirect, host_of, is_loopback
from remit.core.oauth.one_time_code import TerminalCode

LASTS = timedelta(seconds=60)
_HASH = re.compile(r"[A-Za-z0-9_-]{43}")
_STATE = re.compile(r"[A-Za-z0-9_-]{16,128}")


async def show(visit: PageRequest) -> Response:
    """Ask the person for permission."""
    redirect_uri, challenge, state = _asked(visit)
    again = f"{TERMINAL_PATH}?" + urlencode(
        {"redirect_uri": redirect_uri, "code_challenge": challenge, "state": state}
    )
    if visit.seat is None:
        return sign_in.first(visit, again)
    # A terminal gets everything that its person may do: permitting it needs a recent sign-in.
    if not visit.seat.fresh(visit.rooms.clock.now(), visit.rooms.people.consents.rules.fresh_s):
        return sign_in.first(visit, again, fresh=True)
    return visit.draw("terminal.html", again=again, word=check_word(challenge))


async def decide(visit: PageRequest) -> Response:
    """Process the answer."""
    redirect_uri, challenge, state = _asked(visit)
    if visit.seat is None:
        return sign_in.first(visit, f"{TERMINAL_PATH}?{visit.request.url.query}")
    form = await visit.form()
    if form.get("decision") != "allow":
        return _leave(visit, redirect_uri, {"error": "access_denied", "state": state}, granted=False)
    if not visit.seat.fresh(visit.rooms.clock.now(), visit.rooms.people.consents.rules.fresh_s):
        return sign_in.first(visit, f"{TERMINAL_PATH}?{visit.request.url.query}", fresh=True)
    holds = TerminalCode(
        redirect_uri=redirect_uri,
        code_challenge=challenge,
        person=visit.seat.person.name,
        session=visit.seat.session.digest,
        coded_by=visit.seat.session.coded_by,
        method=visit.seat.session.method,
        authenticated=visit.seat.authenticated,
    )
    code = await visit.rooms.people.browsers.tickets.issue(holds, LASTS)
    return _leave(visit, redirect_uri, {"code": code, "state": state}, granted=True)


def _leave(visit: PageRequest, redirect_uri: str, answer: dict[str, str], *, granted: bool) -> Response:
    sent = urlencode(answer | {"iss": visit.rooms.identity.authenticator.issuer})
    return visit.draw(
        "left_terminal.html", address=f"{redirect_uri}?{sent}", host=host_of(redirect_uri), granted=granted
    )


def _asked(visit: PageRequest) -> tuple[str, str, str]:
    form = parse_form(visit.request.url.query.encode())
    redirect_uri, challenge, state = (form.need(name) for name in ("redirect_uri", "code_challenge", "state"))
    check_redirect(redirect_uri)
    if not is_loopback(redirect_uri) or "?" in redirect_uri:
        raise Malformed("the answer may go only to this computer", remediation="run `remit login` again")
    if not _HASH.fullmatch(challenge) or not _STATE.fullmatch(state):
        raise Malformed("the request cannot be read", remediation="run `remit login` again")
    return redirect_uri, challenge, quote(state, safe="")


def check_word(challenge: str) -> str:
    """Return the word that page and terminal both show, to identify this request."""
    return hashlib.sha256(challenge.encode()).hexdigest()[:6].upper()
