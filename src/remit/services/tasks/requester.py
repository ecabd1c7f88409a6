# SPDX-License-Identifier: Apache-2.0
"""By whose word a task is opened: a person's who is signed in, a living record's, or a permitted issuer's."""

from __future__ import annotations

from datetime import datetime

from remit.core.errors import Forbidden
from remit.core.identity.principals import Agent, Memberships, Person
from remit.core.tasks.delegation_record import Delegation
from remit.core.tasks.task import TaskType
from remit.ports.store.combined import TasksAndPrincipals
from remit.services.tasks.opening_rules import (
    Opening,
    OpeningGrant,
    agreed,
    issuer_states,
    may_state,
    states_itself,
)


class OpeningAuthority:
    """Finds by whose word a task may be opened."""

    def __init__(self, *, store: TasksAndPrincipals, members: Memberships, tenant: str) -> None:
        """Take the parts."""
        self._store = store
        self._members = members
        self._tenant = tenant

    async def of(
        self,
        task_type: TaskType,
        opening: Opening,
        person: Person | None,
        caller: Agent | None,
        now: datetime,
        issuer: str = "",
    ) -> OpeningGrant:
        """Return by whose word a task is opened.

        INVARIANT: whom it is for has said so: they are signed in, or a record of theirs lives. Who states the
        intent is a person whom remit authenticated, or an issuer that the type permits; where the task is for
        somebody, never the agent.
        """
        if issuer and person is not None:
            return OpeningGrant(requested_by=issuer_states(task_type, issuer), behalf=person.name)
        if person is not None:
            requested_by = may_state(task_type, person)
            behalf = opening.on_behalf_of or (person.name if task_type.requires_person else "")
            record = None
            if behalf and behalf != person.name:
                record = await self._record(task_type, opening, behalf, now)
                await self._still_states(task_type, record)
            return OpeningGrant(requested_by=requested_by, behalf=behalf, record=record)
        if caller is None:
            raise Forbidden("nobody has stated the intent", remediation="sign in, or show the agent's token")
        if opening.on_behalf_of:
            record = await self._record(task_type, opening, opening.on_behalf_of, now)
            requested_by = await self._still_states(task_type, record)
            return OpeningGrant(requested_by=requested_by, behalf=record.person, record=record)
        return OpeningGrant(requested_by=states_itself(task_type, caller))

    async def _still_states(self, task_type: TaskType, record: Delegation) -> str:
        """Return the person of a record, who must be one that could let this be done today: what they may not
        have done any more, their record does not do for them.
        """
        found = await self._store.person(self._tenant, record.person)
        if found is None:
            raise Forbidden("the person of the delegation is not known any more")
        return may_state(task_type, self._members.of_person(found))

    async def _record(self, task_type: TaskType, opening: Opening, person: str, now: datetime) -> Delegation:
        """Return the newest living record by which a person lets the agent do this kind of work for them, and
        that leaves the given parameters open.
        """
        found = [
            one
            for one in await self._store.delegations(self._tenant, person=person, agent=opening.agent)
            # A record whose words were forgotten has lost what it fixed: it would permit more than was said.
            if one.goal
            and one.live_at(now)
            and one.covers(person=person, agent=opening.agent, task_type=task_type.name)
        ]
        if not found:
            raise Forbidden(
                f"`{person[:80]}` has not let agent `{opening.agent[:80]}` do `{task_type.name}` for them",
                code="no-delegation",
                remediation="let that person open the task, or ask them for one (`remit delegation add`)",
            )
        for one in found[:-1]:
            try:
                agreed(one, opening.params)
            except Forbidden:
                continue
            return one
        agreed(found[-1], opening.params)
        return found[-1]
