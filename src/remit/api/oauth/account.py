# SPDX-License-Identifier: Apache-2.0
"""What is a person's own: the tasks that they opened, their sessions, their passkeys; each with its end."""

from __future__ import annotations

from starlette.responses import Response

from remit.api.oauth import sign_in
from remit.api.oauth.page import PageVisit
from remit.api.oauth.paths import ACCOUNT_PATH
from remit.core.errors import Malformed
from remit.core.task import TaskState
from remit.services.browsers import handle_of
from remit.services.duties import end_task, own_task

#: Tasks looked through, and shown.
MOST, SHOWN = 10_000, 50


async def show(visit: PageVisit) -> Response:
    """Show the page."""
    if visit.seat is None:
        return sign_in.first(visit)
    house, name = visit.house, visit.seat.person.name
    now = house.clock.now()
    active = await house.store.tasks(house.tenant, state=TaskState.ACTIVE, limit=MOST)
    tasks = [task for task in active if own_task(task, visit.seat.person) and task.active_at(now)]
    sessions = await house.people.browsers.sessions(name)
    passkeys = house.people.passkeys
    fresh = visit.seat.fresh(now, house.people.consents.rules.fresh_s)
    return visit.draw(
        "account.html",
        script=passkeys.offered and fresh,
        tasks=tasks[:SHOWN],
        more=len(tasks) - SHOWN,
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
        providers=[(key, one.title) for key, one in house.people.browsers.entrances.items()],
    )


async def change(visit: PageVisit) -> Response:
    """End a task or a session, or remove a passkey: taking away needs no new proof."""
    if visit.seat is None:
        return sign_in.first(visit)
    form = await visit.form()
    house, person = visit.house, visit.seat.person
    what, which = form.get("end"), form.get("which")
    if what == "task":
        task = end_task(await house.tasks.get(which), person)
        await house.revocations.end_task(task.id, reason="ended by the person", by=person.name)
    elif what == "session":
        await house.people.browsers.end(person.name, which)
        if which == handle_of(visit.seat.session):
            visit.signed_out()
    elif what == "passkey":
        await house.people.passkeys.remove(person.name, which)
    else:
        raise Malformed("there is nothing of that kind to end", way_out="use the buttons of the page")
    return visit.go(ACCOUNT_PATH)
