# SPDX-License-Identifier: Apache-2.0
"""Permanent sign-in methods of people, passkeys and provider accounts, and the codes that they result from.

The maker of a sign-in code for another person can use the code. What results from a code (a session, a
passkey or an account that was connected in the session) keeps the maker's name for as long as it exists.
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

#: The maker of codes that `remit up` prints.
AT_START: Final = "remit up"


class SignInMethod(msgspec.Struct, frozen=True, kw_only=True):
    """A permanent sign-in method of a person: `kind` is `passkey` or `provider`.

    `name` is the passkey's, or the provider's issuer; `coded_by` are the makers of the code that it results
    from.
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
    """Return the makers of codes for these people of which a result still exists.

    A result is the code, a session, or a sign-in method.
    """
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
    """Return who may be acting as a person: the person, and makers of codes whose results still exist.

    An operator with access to remit's machine makes codes at its start (`AT_START`), and is never a second
    person.
    """
    return (await code_makers(store, tenant, (person,), now) | {person}) - {AT_START}


async def is_behind(
    store: SignInStore, task: Task, judge: str, now: datetime, *, second_person: bool
) -> bool:
    """Return whether a person may be behind a task, as its speaker or subject, and so may not judge it.

    Where two people are required, a person who made codes for both counts as both. Otherwise one
    administrator may make codes for everyone.
    """
    people = {task.on_behalf_of, task.speaker} - {""}
    makers = await code_makers(store, task.tenant, people, now) | {*task.coded_by}
    if not second_person:
        return judge in makers
    return not (makers | people).isdisjoint(await hands_of(store, task.tenant, judge, now))


class SignInMethods:
    """Lists and removes the sign-in methods of other people, for administrators."""

    def __init__(self, *, store: SignInStore, clock: Clock, tenant: str) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._tenant = tenant

    async def of(self, person: str) -> list[SignInMethod]:
        """Return a person's sign-in methods."""
        passkeys = await self._store.passkeys(self._tenant, person)
        links = await self._store.links(self._tenant, person)
        return [*map(_of_passkey, passkeys), *map(_of_link, links)]

    async def remove(self, person: str, way: str, *, by: str) -> SignInMethod:
        """Remove a sign-in method, and end every session and code of the person: one may result from it.

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
