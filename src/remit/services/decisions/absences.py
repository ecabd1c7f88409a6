# SPDX-License-Identifier: Apache-2.0
"""Absences: an approver names another one who may answer in their place, for a time.

Only the absent person names the substitute, one at a time, and may take it back. A substitute is an approver,
too, and names no further one: who stands in for a substitute answers in the substitute's own name.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from remit.core.decisions.approval import may_approve
from remit.core.decisions.approvers import Absence
from remit.core.errors import Forbidden, Malformed, NotFound
from remit.core.evidence.event import Event, timestamp
from remit.core.evidence.events.decisions import ApproverAway, ApproverBack
from remit.core.identity.principals import Person
from remit.ports.runtime import Clock
from remit.ports.store.changes import PutValue, UsePerson
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.units import Unit
from remit.services.separation.sign_in_methods import AT_START, code_makers

#: The longest absence.
LONGEST: Final = timedelta(days=92)


def _key(person: str) -> str:
    return f"absence:{person}"


async def absence_of(store: SignInStore, tenant: str, person: str) -> Absence | None:
    """Return the absence that a person has named a substitute for, past and future ones included."""
    kept = await store.value(tenant, _key(person))
    return msgspec.convert(kept, Absence) if kept else None


class Absences:
    """Keeps the absences of approvers."""

    def __init__(self, *, store: SignInStore, clock: Clock, tenant: str) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._tenant = tenant

    async def begin(
        self, person: Person, substitute: str, ends: datetime, begins: datetime | None = None
    ) -> Absence:
        """Name a substitute in a person's own name, in place of one named before.

        Raises `Forbidden`, `NotFound` or `Malformed`.
        """
        now = self._clock.now()
        begins = begins or now
        other = await self._store.person(self._tenant, substitute)
        if not may_approve(person):
            raise Forbidden(
                f"`{person.name}` is not an approver", remediation="only an approver has a substitute"
            )
        if substitute == person.name:
            raise Malformed("the substitute is the same person", remediation="name another approver")
        if other is None:
            raise NotFound(f"`{substitute[:80]}` does not exist", remediation="see `remit person list`")
        if not may_approve(other):
            raise Forbidden(
                f"`{other.name}` is not an approver", remediation="name a person with the role approver"
            )
        if not now < ends <= now + LONGEST or not begins < ends:
            raise Malformed(
                "an absence ends after it begins, and within 92 days",
                remediation="choose an earlier end; it can be renewed",
            )
        makers = await code_makers(self._store, self._tenant, (person.name,), now)
        absence = Absence(
            person=person.name,
            substitute=other.name,
            begins=begins,
            ends=ends,
            coded_by=tuple(sorted(makers - {AT_START})),
        )
        away = ApproverAway(
            begins=timestamp(begins), ends=timestamp(ends), substitute=other.name, person=person.name
        )
        kept = PutValue(self._tenant, _key(person.name), msgspec.to_builtins(absence))
        await self._commit((UsePerson(self._tenant, other.name), kept), away, person.name)
        return absence

    async def end(self, person: Person) -> Absence:
        """End a person's own absence; raise `NotFound` where there is none."""
        found = await absence_of(self._store, self._tenant, person.name)
        if found is None or found.ends <= self._clock.now():
            raise NotFound(f"`{person.name}` has no substitute", remediation="see `remit approvals away`")
        back = ApproverBack(substitute=found.substitute, person=person.name)
        await self._commit((PutValue(self._tenant, _key(person.name), None),), back, person.name)
        return found

    async def all(self) -> list[Absence]:
        """Return the absences that have not ended, by person."""
        now = self._clock.now()
        people = sorted(one.name for one in await self._store.people(self._tenant) if may_approve(one))
        found = [await absence_of(self._store, self._tenant, name) for name in people]
        return [one for one in found if one is not None and now < one.ends]

    async def _commit(
        self, changes: tuple[UsePerson | PutValue, ...], told: ApproverAway | ApproverBack, person: str
    ) -> None:
        event = Event.of(told, at=self._clock.now(), tenant=self._tenant, subject=person)
        await self._store.commit(Unit(changes, (event,)))
