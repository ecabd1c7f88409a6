# SPDX-License-Identifier: Apache-2.0
"""The ways in that people keep, passkeys and accounts at providers, and the codes that these came of.

Whoever makes a sign-in code for somebody can use it themselves. What comes of a code (a session, a passkey or
an account that was connected in it) remembers who made it, for as long as it lives.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from remit.core.errors import NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.people import PersonChanged
from remit.core.identity.passkey import Link, Passkey
from remit.core.tasks.task import Task
from remit.ports.runtime import Clock
from remit.ports.store.changes import DropLink, DropPasskey, EndCredentials
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.units import Unit

#: Who makes the codes that `remit up` prints.
AT_START: Final = "remit up"


class SignInMethod(msgspec.Struct, frozen=True, kw_only=True):
    """Something with which a person signs in again and again: `kind` is `passkey` or `provider`.

    `name` is the passkey's, or the provider's issuer; `coded_by` who made the code that it came of.
    """

    id: str
    kind: str
    name: str
    made: datetime
    last_used: datetime | None = None
    coded_by: tuple[str, ...] = ()


async def code_makers(
    store: SignInStore, tenant: str, people: Iterable[str], now: datetime
) -> frozenset[str]:
    """Return who made codes for people of which something lives: a code, a session, or a way in."""
    found: set[str] = set()
    for person in people:
        living = [one for one in await store.credentials(tenant, person=person) if now < one.expires]
        kept: list[Passkey | Link] = [
            *await store.passkeys(tenant, person),
            *await store.links(tenant, person),
        ]
        found.update(name for one in (*living, *kept) for name in one.coded_by)
    return frozenset(found)


async def hands_of(store: SignInStore, tenant: str, person: str, now: datetime) -> frozenset[str]:
    """Return who may be acting as a person: the person, and who made codes for them of which something lives.

    Whoever has remit's machine makes codes at its start (`AT_START`), and is nobody's second person anyway.
    """
    return (await code_makers(store, tenant, (person,), now) | {person}) - {AT_START}


async def is_behind(
    store: SignInStore, task: Task, judge: str, now: datetime, *, second_person: bool
) -> bool:
    """Whether a person may be the one that states a task, or for whom it is, and so judges nothing of it.

    Where two persons are demanded, whoever let both in counts as both. Elsewhere one administrator may let
    everybody in.
    """
    people = {task.on_behalf_of, task.speaker} - {""}
    makers = await code_makers(store, task.tenant, people, now) | {*task.coded_by}
    if not second_person:
        return judge in makers
    return not (makers | people).isdisjoint(await hands_of(store, task.tenant, judge, now))


class SignInMethods:
    """Lists and removes the ways in of others, for administrators."""

    def __init__(self, *, store: SignInStore, clock: Clock, tenant: str) -> None:
        """Take the parts."""
        self._store = store
        self._clock = clock
        self._tenant = tenant

    async def of(self, person: str) -> list[SignInMethod]:
        """Return a person's ways in."""
        passkeys = await self._store.passkeys(self._tenant, person)
        links = await self._store.links(self._tenant, person)
        return [*map(_of_passkey, passkeys), *map(_of_link, links)]

    async def remove(self, person: str, way: str, *, by: str) -> SignInMethod:
        """Remove a way in, and end every session and code of the person: one may have come of it.

        Raises `NotFound`, or `Conflict` where it is removed already.
        """
        drops: dict[str, tuple[SignInMethod, DropPasskey | DropLink]] = {
            one.id: (_of_passkey(one), DropPasskey(self._tenant, one.id, person))
            for one in await self._store.passkeys(self._tenant, person)
        }
        for link in await self._store.links(self._tenant, person):
            one = _of_link(link)
            drops[one.id] = one, DropLink(self._tenant, link.issuer, link.subject, person)
        if way not in drops:
            raise NotFound(
                f"`{person}` has no such sign-in method", remediation=f"see `remit person ways {person}`"
            )
        found, drop = drops[way]
        removed = PersonChanged(change=f"{found.kind}-removed", person=person, by=by)
        event = Event.of(removed, at=self._clock.now(), tenant=self._tenant, subject=person)
        ended = EndCredentials(self._tenant, person)
        await self._store.commit(Unit((drop, ended), (event,)))
        return found


def _of_passkey(one: Passkey) -> SignInMethod:
    return SignInMethod(
        id=one.id,
        kind="passkey",
        name=one.name,
        made=one.made,
        last_used=one.last_used,
        coded_by=one.coded_by,
    )


def _of_link(one: Link) -> SignInMethod:
    return SignInMethod(id=one.id, kind="provider", name=one.issuer, made=one.made, coded_by=one.coded_by)
