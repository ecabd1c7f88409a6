# SPDX-License-Identifier: Apache-2.0
"""People, and the page of one: roles and groups, what the person answers for, and what runs in their name."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec
from starlette.responses import Response

from remit.api.console.page import ConsoleRequest, address_of
from remit.core.errors import Malformed, NotFound
from remit.core.identity.principals import Person
from remit.core.scope import ScopeKind, scope
from remit.core.tasks.task import TaskState
from remit.services.identity.permissions import Duty, ask_about, may

#: People of one page, and open tasks that it looks at.
SHOWN: Final = 50
SEARCHED: Final = 10_000


class PersonRow(msgspec.Struct, frozen=True, kw_only=True):
    """One person: the number of agents that the person owns alone, and of open tasks in their name."""

    person: Person
    agents: int
    tasks: int


async def index(visit: ConsoleRequest) -> Response:
    """Show people."""
    rooms, now = visit.rooms, visit.now
    directory = rooms.identity.directory
    people = [directory.with_groups(one) for one in await directory.people()]
    sought, after = visit.asked("q").strip(), visit.asked("after")
    found = [one for one in people if sought.lower() in _text(one)]
    rest = [one for one in found if one.name > after]
    owned = Counter(one.owner for one in await directory.agents())
    open_now = await rooms.tasks.tasks.newest(state=TaskState.ACTIVE, limit=SEARCHED, texts=False)
    busy = Counter(one.on_behalf_of for one in open_now if one.active_at(now))
    return await visit.show(
        "people.html",
        rows=[PersonRow(person=one, agents=owned[one.name], tasks=busy[one.name]) for one in rest[:SHOWN]],
        following=rest[SHOWN - 1].name if len(rest) > SHOWN else "",
        total=len(people),
        found=len(found),
        sought=sought,
    )


def _text(person: Person) -> str:
    return " ".join((person.name, *person.groups, *person.roles)).lower()


async def show(visit: ConsoleRequest) -> Response:
    """Show a person; a person always sees their own page."""
    rooms, now, name = visit.rooms, visit.now, visit.part("name")
    ask_about(visit.someone, name, None, None)
    directory = rooms.identity.directory
    person = directory.with_groups(await directory.person(name))
    tasks = await rooms.tasks.tasks.newest(on_behalf_of=name, state=TaskState.ACTIVE, limit=1000)
    tasks = [one for one in tasks if one.active_at(now)]
    delegations = [one for one in await rooms.people.delegations.of(name) if one.live_at(now)]
    agents = [one for one in await directory.agents() if one.owned_by(person)]
    scopes = {scope(kind, name) for kind in (ScopeKind.PERSON, ScopeKind.OWNER)}
    oneself = name == visit.someone.name
    return await visit.show(
        "person.html",
        who=person,
        oneself=oneself,
        tasks=tasks[:SHOWN],
        total_tasks=len(tasks),
        delegations=delegations[:SHOWN],
        total_delegations=len(delegations),
        agents=agents[:SHOWN],
        total_agents=len(agents),
        locks=await rooms.endings.locks.over(scopes),
        ways=await rooms.people.ways_in.of(name) if visit.may(Duty.ADMINISTER) else [],
        # No person changes their own account.
        changeable=visit.may(Duty.ADMINISTER) and not oneself,
        ends=oneself or visit.may(Duty.END),
    )


async def act(visit: ConsoleRequest) -> Response:
    """Deactivate or activate a person, end their sessions, or revoke one of their delegations."""
    form = await visit.act()
    name, asked, by = visit.part("name"), form.get("act"), visit.someone.name
    ask_about(visit.someone, name, None, None)
    reason = form.get("reason")[:500]
    if asked == "revoke":
        return await _revoked(visit, form.get("delegation"), reason)
    visit.require(Duty.ADMINISTER)
    personnel = visit.rooms.identity.personnel
    if asked == "deactivate":
        await personnel.deactivate(name, by=by, reason=reason)
        done = "deactivated"
    elif asked == "activate":
        await personnel.activate(name, by=by)
        done = "reactivated"
    elif asked == "sign-out":
        await personnel.sign_out(name, by=by)
        done = "signed-out"
    else:
        raise Malformed("this cannot be done to a person", remediation="go back and reload the page")
    return visit.then(address_of("people", name), done)


async def _revoked(visit: ConsoleRequest, delegation: str, reason: str) -> Response:
    delegations = visit.rooms.people.delegations
    record = await delegations.get(delegation)
    if record.person != visit.someone.name and not may(visit.someone, Duty.END):
        raise NotFound(f"delegation `{record.id}` does not exist", remediation="see `remit delegation list`")
    closure = await delegations.revoke(record.id, by=visit.someone.name, reason=reason)
    if visit.may(Duty.OVERSEE):
        return visit.then(address_of("closures", closure.id), "revoked")
    return visit.then(address_of("people", record.person), "revoked")
