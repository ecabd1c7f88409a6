# SPDX-License-Identifier: Apache-2.0
"""The account page: the tasks that a person opened, their sessions, passkeys and connections, each with a way
to end it.
"""

from __future__ import annotations

from starlette.responses import Response

from remit.api.oauth.browser import sign_in
from remit.api.oauth.browser.rendering import PageRequest
from remit.api.oauth.forms import parse_form
from remit.api.oauth.paths import ACCOUNT_PATH, CONNECTED_PATH
from remit.core.errors import Malformed
from remit.core.tasks.task import TaskState
from remit.services.identity.permissions import end_task, own_task
from remit.services.people.sessions import handle_of

#: Maximum number of tasks to search, and to show.
MOST, SHOWN = 10_000, 50


async def show(visit: PageRequest) -> Response:
    """Show the page."""
    if visit.seat is None:
        return sign_in.first(visit)
    rooms, name = visit.rooms, visit.seat.person.name
    now = rooms.clock.now()
    active = await rooms.tasks.tasks.newest(state=TaskState.ACTIVE, limit=MOST)
    tasks = [task for task in active if own_task(task, visit.seat.person) and task.active_at(now)]
    sessions = await rooms.people.browsers.sessions(name)
    passkeys = rooms.people.passkeys
    issuers = await rooms.people.browsers.issuers_of(name)
    entrances = rooms.people.browsers.entrances
    fresh = visit.seat.fresh(now, rooms.people.consents.rules.fresh_s)
    return visit.draw(
        "account.html",
        script=passkeys.offered and fresh,
        tasks=tasks[:SHOWN],
        more=len(tasks) - SHOWN,
        code_made=await rooms.identity.personnel.code_made(name),
        sessions=[
            {
                "handle": handle_of(one),
                "place": one.place or "a program",
                "method": one.method.partition(":")[0],
                "since": one.created,
                "this": one.digest == visit.seat.session.digest,
            }
            for one in sessions
        ],
        passkeys=await passkeys.of(name),
        offered=passkeys.offered,
        fresh=fresh,
        connected=[one.title for one in entrances.values() if one.provider.issuer in issuers],
        providers=[(key, one.title) for key, one in entrances.items() if one.provider.issuer not in issuers],
        connectable=await _connectable(visit, name),
    )


async def _connectable(visit: PageRequest, person: str) -> list[dict[str, object]]:
    """Return the upstreams that a person can connect or has connected."""
    connections = visit.rooms.people.connections
    if connections is None:
        return []
    held = {one.upstream: one for one in await connections.of(person)}
    return [
        {
            "upstream": name,
            "server": connector.server,
            "since": held[name].since if name in held else None,
            "lost": name in held and held[name].lost,
        }
        for name, connector in connections.connectors.items()
    ]


async def arrive(visit: PageRequest) -> Response:
    """Complete the connection of an upstream when its authorization server sends the person back.

    Only the same person in the same browser can complete the connection.
    """
    connections = visit.rooms.people.connections
    if visit.seat is None or connections is None:
        return sign_in.first(visit)
    form = parse_form(visit.request.url.query.encode())
    upstream = visit.request.path_params["upstream"]
    await connections.arrive(
        state=form.get("state"),
        code=form.get("code"),
        issuer=form.get("iss"),
        at=upstream,
        person=visit.seat.person.name,
        browser=visit.visitor,
        redirect_uri=_back(visit, upstream),
    )
    return visit.go(ACCOUNT_PATH)


def _back(visit: PageRequest, upstream: str) -> str:
    """Return the redirect URI for the authorization server of an upstream.

    Each upstream has its own redirect URI, so that the answer of one server is not taken for another's (RFC
    9700 section 4.4.2).
    """
    return f"{visit.rooms.people.origin}{CONNECTED_PATH}/{upstream}"


async def change(visit: PageRequest) -> Response:
    """End a task or a session, remove a passkey, or connect or disconnect an upstream.

    Removing authority needs no new authentication.
    """
    if visit.seat is None:
        return sign_in.first(visit)
    form = await visit.form()
    rooms, person = visit.rooms, visit.seat.person
    what, which = form.get("end"), form.get("which")
    connections = rooms.people.connections
    if what == "task":
        task = end_task(await rooms.tasks.tasks.get(which), person)
        await rooms.endings.revocations.end_task(task.id, reason="ended by the person", by=person.name)
    elif what == "session":
        await rooms.people.browsers.end(person.name, which)
        if which == handle_of(visit.seat.session):
            visit.signed_out()
    elif what == "passkey":
        await rooms.people.passkeys.remove(person.name, which)
    elif what == "connection" and connections is not None:
        await connections.disconnect(which, person.name)
    elif what == "no-connection" and connections is not None:
        address = await connections.leave_for(
            which,
            person=person.name,
            browser=visit.visitor,
            redirect_uri=_back(visit, which),
        )
        # Not by a redirect: the page's forms may lead only to remit's own pages (`form-action`).
        connector = connections.connectors[which]
        return visit.draw("leave_upstream.html", address=address, host=connector.server)
    else:
        raise Malformed("nothing of this kind can be ended here", remediation="use the buttons of the page")
    return visit.go(ACCOUNT_PATH)
