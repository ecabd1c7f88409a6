# SPDX-License-Identifier: Apache-2.0
"""The kill switch: the locks with their reasons and authors, and who may unlock.

Locking takes authority away and needs no second person. Unlocking restores authority: it is recorded, and no
person unlocks themselves. If the configuration requires two administrators for sensitive acts, unlocking
needs two. The locked party has no part in it: no agent unlocks anything.

After a restore that lost events, everything is locked. To unlock it is to accept the loss, which two
administrators do; one where the restored store has only one. So it is never a dead end.
"""

from __future__ import annotations

import msgspec

from remit.core.endings.closure import Cause, Lock
from remit.core.errors import Forbidden, NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.system import LossAccepted
from remit.core.evidence.restore import LOSS, RestoredLog
from remit.core.identity.principals import TEAM, Person, Role
from remit.core.json_value import Json
from remit.core.scope import EVERYTHING, ScopeKind, scope
from remit.ports.runtime import Clock
from remit.ports.store.changes import PutValue
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.units import Unit
from remit.services.endings.ending import Endings
from remit.services.separation.second_person import SecondPerson
from remit.services.separation.sign_in_methods import AT_START, code_makers


class Locks:
    """Lists locks, and unlocks."""

    def __init__(
        self, *, store: SignInStore, clock: Clock, revocations: Endings, second: SecondPerson, tenant: str
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._revocations = revocations
        self._second = second
        self._tenant = tenant

    async def all(self) -> list[Lock]:
        """Return the current locks, by scope, without those of revoked delegations, which are never
        unlocked.
        """
        return [one for one in await self._revocations.locks() if one.cause is not Cause.DELEGATION]

    async def by_hand(self) -> list[Lock]:
        """Return the locks set by people, without those that remit set because an owner or a person left."""
        left = (Cause.PERSON_LEFT, Cause.OWNER_LEFT)
        return [one for one in await self.all() if one.cause not in left]

    async def over(self, scopes: set[str]) -> list[Lock]:
        """Return the locks on any of these scopes; a lock on everything always counts."""
        return [one for one in await self.all() if one.scope == EVERYTHING or one.scope in scopes]

    async def unlock(self, kind: ScopeKind, name: str, *, person: Person) -> None:
        """Permit new tasks under a scope again, on the order of an administrator.

        Raises `NotFound` if it is not locked, and `Forbidden` if the administrator is the locked party, or is
        responsible for it.
        """
        target = EVERYTHING if kind is ScopeKind.EVERYTHING else scope(kind, name)
        if target not in {one.scope for one in await self.all()}:
            raise NotFound(f"`{target[:80]}` is not locked", remediation="see `remit lock`")
        if await self._is_theirs(kind, name, person):
            raise Forbidden(
                "a person cannot unlock their own account or an agent that they own",
                code="self",
                remediation="ask another administrator",
            )
        loss = await self.loss() if target == EVERYTHING else None
        if loss is not None:
            await self._accept(loss, person)
            return
        await self._second.agreed({"act": "unlock", "about": target}, person.name, person.name)
        await self._revocations.unlock(kind, name, by=person.name)

    async def loss(self) -> RestoredLog | None:
        """Return what a restore has lost, as long as it is not accepted."""
        kept = await self._store.value(self._tenant, LOSS)
        return msgspec.convert(kept, RestoredLog) if kept else None

    async def _accept(self, loss: RestoredLog, person: Person) -> None:
        others = [
            one
            for one in await self._store.people(self._tenant)
            if one.active and Role.ADMINISTRATOR in one.roles and one.name != person.name
        ]
        act: dict[str, Json] = {"act": "accept loss", "backup": loss.backup, "size": loss.size}
        second = await self._second.agreed(act, person.name, person.name, always=bool(others))
        now = self._clock.now()
        started = [
            one
            for one in (person.name, *second)
            if AT_START in await code_makers(self._store, self._tenant, (one,), now)
        ]
        told = LossAccepted(
            backup=loss.backup,
            size=loss.size,
            lost_size=loss.lost_size,
            administrators=1 + len(second),
            start_codes=len(started),
            by=person.name,
            second=second[0] if second else "",
        )
        event = Event.of(told, at=now, tenant=self._tenant, subject=person.name)
        await self._store.commit(Unit((PutValue(self._tenant, LOSS, None),), (event,)))
        await self._revocations.unlock(ScopeKind.EVERYTHING, "*", by=person.name)

    async def _is_theirs(self, kind: ScopeKind, name: str, person: Person) -> bool:
        if kind in (ScopeKind.PERSON, ScopeKind.OWNER):
            return name == person.name or name.removeprefix(TEAM) in person.groups
        if kind is ScopeKind.AGENT:
            agent = await self._store.agent(self._tenant, name)
            return agent is not None and agent.owned_by(person)
        return False
