# SPDX-License-Identifier: Apache-2.0
"""The kill switch: what is locked, why and by whom, and who may open it again.

Locking takes authority away and needs no second thought. Unlocking gives it back: it is recorded, the one who
does it is never the one who is locked, and where the configuration asks for two administrators for what is
sensitive, it needs two. What the other end of a lock is has no say in it: no agent unlocks anything.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from remit.core.endings.closure import Cause, Lock
from remit.core.errors import Forbidden, NotFound
from remit.core.identity.principals import TEAM, Person
from remit.core.scope import EVERYTHING, ScopeKind, scope
from remit.ports.store.principals import PrincipalStore
from remit.services.endings.ending import Endings


class SecondPerson(Protocol):
    """Asks for a second administrator, where the configuration demands one."""

    def __call__(self, act: str, about: str, *, by: str) -> Awaitable[None]:
        """Return where the act may go on; raise `Forbidden` where nobody else has asked yet."""


class Locks:
    """Says what is locked, and unlocks."""

    def __init__(
        self, *, store: PrincipalStore, revocations: Endings, agreed: SecondPerson, tenant: str
    ) -> None:
        """Take the parts."""
        self._store = store
        self._revocations = revocations
        self._agreed = agreed
        self._tenant = tenant

    async def all(self) -> list[Lock]:
        """Return what is locked now, by scope; delegations that were revoked never open again, and are none
        of these.
        """
        return [one for one in await self._revocations.locks() if one.cause is not Cause.DELEGATION]

    async def by_hand(self) -> list[Lock]:
        """Return what somebody has locked, without what remit shut because its owner or person left."""
        left = (Cause.PERSON_LEFT, Cause.OWNER_LEFT)
        return [one for one in await self.all() if one.cause not in left]

    async def over(self, scopes: set[str]) -> list[Lock]:
        """Return the locks that shut something which lies in certain scopes; that on everything always
        does.
        """
        return [one for one in await self.all() if one.scope == EVERYTHING or one.scope in scopes]

    async def unlock(self, kind: ScopeKind, name: str, *, person: Person) -> None:
        """Let tasks be opened under a scope again, at the word of an administrator.

        Raises `NotFound` where it is not locked, and `Forbidden` for the one who is locked, or answers for
        what is.
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
        await self._agreed("unlock", target, by=person.name)
        await self._revocations.unlock(kind, name, by=person.name)

    async def _is_theirs(self, kind: ScopeKind, name: str, person: Person) -> bool:
        if kind in (ScopeKind.PERSON, ScopeKind.OWNER):
            return name == person.name or name.removeprefix(TEAM) in person.groups
        if kind is ScopeKind.AGENT:
            agent = await self._store.agent(self._tenant, name)
            return agent is not None and agent.owned_by(person)
        return False
