# SPDX-License-Identifier: Apache-2.0
"""The word of a second administrator, where the configuration demands one for what is sensitive."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import msgspec

from remit.core.canonical import digest
from remit.core.errors import Forbidden
from remit.core.evidence.event import Event
from remit.core.evidence.events.people import PersonChanged
from remit.core.identity.principals import Role
from remit.core.json_value import Json
from remit.ports.runtime import Clock
from remit.ports.store.changes import PutValue
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.units import Unit
from remit.services.separation.sign_in_methods import hands_of

#: How long the first administrator's request waits for the second's.
WAIT = timedelta(minutes=15)


class SecondPerson:
    """Asks for it."""

    def __init__(self, *, store: SignInStore, clock: Clock, tenant: str, wanted: bool) -> None:
        """Take the parts; unless a second word is `wanted`, everything goes on at the first."""
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self.wanted = wanted
        # One request counts for one act: two concurrent acts must not both rely on it.
        self._agreeing = asyncio.Lock()

    async def agreed(self, act: dict[str, Json], name: str, by: str, *, always: bool = False) -> list[str]:
        """Permit an act if another administrator recently requested the same; return that administrator.

        Return an empty list where no second administrator is required. Otherwise remember this request, and
        refuse until another administrator makes it too. `always`: whatever the configuration requires.
        """
        if not (self.wanted or always):
            return []
        key, now = f"second:{digest(act)[7:39]}", self._clock.now()
        async with self._agreeing:
            asked = await self._store.value(self._tenant, key)
            first = msgspec.convert(asked, _Asked) if asked else None
            other = first if first and first.by != by and await self._stands(first, now) else None
            hands = await hands_of(self._store, self._tenant, by, now)
            # One person may be behind both requests, by a code that was made for one of the two.
            one_hand = other is not None and not hands.isdisjoint(other.hands)
            if other is not None and not one_hand:
                await self._store.commit(Unit((PutValue(self._tenant, key, None),)))
                return [other.by]
            told = PersonChanged(change=f"asked: {act['act']}", person=name, by=by)
            event = Event.of(told, at=self._clock.now(), tenant=self._tenant, subject=name)
            kept = msgspec.to_builtins(_Asked(by, now + WAIT, tuple(sorted(hands))))
            await self._store.commit(Unit((PutValue(self._tenant, key, kept),), (event,)))
        if one_hand:
            raise Forbidden(
                "the administrator who asked first may be the same person: one made a sign-in code for the "
                "other, or one administrator made the codes of both",
                code="code-maker",
                remediation="let another administrator ask, or remove what came of it (`remit person ways`)",
            )
        raise Forbidden(
            "a second administrator must agree to this",
            code="second-person",
            remediation=f"let another administrator ask for the very same within {WAIT.seconds // 60} "
            "minutes",
        )

    async def _stands(self, first: _Asked, now: datetime) -> bool:
        """Return whether the first administrator may still make the request.

        A request is void once its author loses the authority to make it.
        """
        person = await self._store.person(self._tenant, first.by)
        return (
            now < first.until and person is not None and person.active and Role.ADMINISTRATOR in person.roles
        )


class _Asked(msgspec.Struct, frozen=True):
    """A first request.

    `hands` are all people who may be behind it. They are stored because the session that proves it may be
    gone at the second request.
    """

    by: str
    until: datetime
    hands: tuple[str, ...] = ()
