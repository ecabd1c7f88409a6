# SPDX-License-Identifier: Apache-2.0
"""Sign-in and sign-out, sessions, and the caller's identity."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated

import msgspec

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.errors import Forbidden, Unauthenticated
from remit.core.identity.principals import Role
from remit.services.identity.assembly import IdentityServices
from remit.services.identity.authenticator import secret_digest
from remit.services.identity.permissions import Duty
from remit.services.people.assembly import PeopleServices
from remit.services.people.sessions import handle_of

#: SHA-256 in base64url, without padding; or an empty text.
Thumbprint = Annotated[str, msgspec.Meta(pattern="^([A-Za-z0-9_-]{43})?$", max_length=43)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInRooms:
    """The rooms that these endpoints work with."""

    identity: IdentityServices
    people: PeopleServices


class SignIn(Body, frozen=True, kw_only=True):
    """A one-time code from an administrator or the first start.

    With `dpop_jkt`, the thumbprint of a key (RFC 7638), the session works only with proofs of that key (RFC
    9449).
    """

    code: str
    dpop_jkt: Thumbprint = ""


class BrowserSignIn(Body, frozen=True, kw_only=True):
    """A code that a person granted to this program in a browser, and the verifier of its challenge."""

    code: str
    code_verifier: str
    redirect_uri: str
    dpop_jkt: Thumbprint = ""


class NewSession(View, frozen=True, kw_only=True):
    """A session; its secret is shown only once.

    The secret is sent as `Authorization: Bearer`, or as `DPoP` if the session is bound to a key. `url` is
    remit's public URL, which the proofs must name.
    """

    session: str
    person: str
    expires: Moment
    url: str


class SessionView(View, frozen=True, kw_only=True):
    """A session of the caller: `kind` is `browser` or `session` (a program).

    `current` marks the session of this request; `coded_by` are the people who made the code with which it
    began.
    """

    id: str
    kind: str
    method: str
    place: str
    created: Moment
    expires: Moment
    current: bool
    coded_by: tuple[str, ...] = ()


class CodeMade(View, frozen=True, kw_only=True):
    """The last sign-in code that other people made for the caller, and the number of such codes."""

    by: tuple[str, ...]
    at: Moment
    times: int


class Me(View, frozen=True, kw_only=True):
    """The caller: `kind` is `person` or `agent`; `task` is the task to which an agent's token is bound."""

    kind: str
    name: str
    roles: tuple[Role, ...] = ()
    groups: tuple[str, ...] = ()
    task: str = ""
    code_made: CodeMade | None = None


def _apart(errand: RestRequest[SignInRooms]) -> bool:
    """Return whether the address distinguishes callers.

    All users of this machine share one address: failures of one must not block the others.
    """
    return errand.proxied or not is_loopback(errand.client)


def _check(errand: RestRequest[SignInRooms]) -> None:
    if _apart(errand):
        errand.desk.tries.check(errand.origin)


def _failed(errand: RestRequest[SignInRooms]) -> None:
    if _apart(errand):
        errand.desk.tries.failed(errand.origin)


def _own(errand: RestRequest[SignInRooms]) -> str:
    return errand.desk.public_url.rstrip("/")


async def sign_in(errand: RestRequest[SignInRooms]) -> NewSession:
    """Exchange a one-time code for a session."""
    if not errand.desk.remote_sign_in and (errand.proxied or not is_loopback(errand.client)):
        raise Forbidden(
            "sign-in with a code works only on this machine",
            code="not-loopback",
            remediation="run `remit login` on the machine that runs remit",
        )
    _check(errand)
    try:
        secret, person, expires = await errand.rooms.identity.authenticator.sign_in(
            errand.body.code, errand.body.dpop_jkt
        )
    except Unauthenticated:
        _failed(errand)
        raise
    return NewSession(session=secret, person=person.name, expires=expires, url=_own(errand))


async def sign_in_by_browser(errand: RestRequest[SignInRooms]) -> NewSession:
    """Exchange a code from the browser for a session."""
    _check(errand)
    given: BrowserSignIn = errand.body
    try:
        secret, session = await errand.rooms.people.browsers.for_terminal(
            given.code, verifier=given.code_verifier, redirect_uri=given.redirect_uri, jkt=given.dpop_jkt
        )
    except Unauthenticated:
        _failed(errand)
        raise
    return NewSession(session=secret, person=session.person, expires=session.expires, url=_own(errand))


async def sign_out(errand: RestRequest[SignInRooms]) -> None:
    """End the session of this request."""
    await errand.rooms.identity.authenticator.sign_out(errand.secret, errand.arrived.seen.jkt)


async def sessions(errand: RestRequest[SignInRooms]) -> Items[SessionView]:
    """Return the caller's sessions, of browsers and programs, newest first."""
    found = await errand.rooms.people.browsers.sessions(errand.someone.name)
    return Items(
        tuple(
            SessionView(
                id=handle_of(one),
                kind=one.kind,
                method=one.method,
                place=one.place,
                created=one.created,
                expires=one.expires,
                current=one.digest == secret_digest(errand.secret),
                coded_by=one.coded_by,
            )
            for one in found
        )
    )


async def end_session(errand: RestRequest[SignInRooms]) -> None:
    """End one of the caller's sessions."""
    await errand.rooms.people.browsers.end(errand.someone.name, errand.place["session"])


async def me(errand: RestRequest[SignInRooms]) -> Me:
    """Return the caller's identity."""
    if errand.person is not None:
        person = errand.person
        made = await errand.rooms.identity.personnel.code_made(person.name)
        return Me(
            kind="person",
            name=person.name,
            roles=tuple(sorted(person.roles)),
            groups=tuple(person.groups),
            code_made=CodeMade(by=tuple(made.facts["by"]), at=made.last_seen, times=made.count)
            if made
            else None,
        )
    agent = errand.agent
    if agent is None:
        raise Unauthenticated("no person is signed in", code="no-session")
    return Me(
        kind="agent", name=agent.name, groups=agent.groups, task=errand.claims.task if errand.claims else ""
    )


def is_loopback(address: str) -> bool:
    """Return whether an address is a loopback address; a host name is not."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api/v1/sign-in",
        summary="Exchange a one-time code for a session (only from this machine, unless configured)",
        serve=sign_in,
        open=True,
        takes=SignIn,
        gives=NewSession,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/sign-in/browser",
        summary="Exchange a code from the person's browser for a session of this program",
        serve=sign_in_by_browser,
        open=True,
        takes=BrowserSignIn,
        gives=NewSession,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/sign-out",
        summary="End the session of this request",
        serve=sign_out,
        people=Duty.OWN,
        status=204,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/sessions",
        summary="List one's own sessions, of browsers and programs",
        serve=sessions,
        people=Duty.OWN,
        gives=Items[SessionView],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/sessions/{session}/end",
        summary="End one of one's own sessions",
        serve=end_session,
        people=Duty.OWN,
        status=204,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/me",
        summary="Show the caller's identity",
        serve=me,
        people=Duty.OWN,
        agents=True,
        tasks=True,
        gives=Me,
    ),
)
