# SPDX-License-Identifier: Apache-2.0
"""What every store keeps to about people at their browsers: tickets, passkeys, links, sessions."""

import asyncio
from datetime import datetime, timedelta

import msgspec
import pytest

from remit.core.errors import Conflict
from remit.core.identity.passkey import Link, Passkey
from remit.core.oauth.one_time_code import OneTimeCode, PasskeyCeremony
from remit.ports.store.changes import (
    Credential,
    DropPasskey,
    PutCredential,
    PutLink,
    PutOneTimeCode,
    PutPasskey,
    UseOneTimeCode,
    UsePasskey,
)
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from tests.conformance.stores import each_store
from tests.worlds.values import START, TENANT

pytestmark = each_store


def a_ticket(digest: str = "d", made: datetime = START) -> OneTimeCode:
    """Return a ticket that is good for a minute."""
    return OneTimeCode(
        tenant=TENANT,
        digest=digest,
        created=made,
        expires=made + timedelta(minutes=1),
        holds=PasskeyCeremony(challenge="c", browser="b"),
    )


def a_passkey(id: str = "key-1", person: str = "lena", counter: int = 0) -> Passkey:
    """Return a passkey."""
    return Passkey(tenant=TENANT, id=id, person=person, public_key="cose", counter=counter, made=START)


async def test_a_ticket_is_used_once(store: Store) -> None:
    """The second user of a ticket is refused, and the result of the first use is known."""
    await store.commit(Unit(changes=(PutOneTimeCode(a_ticket()),)))
    use = Unit(changes=(UseOneTimeCode(TENANT, "d", START, outcome="task_one"),))
    results = await asyncio.gather(store.commit(use), store.commit(use), return_exceptions=True)
    assert [isinstance(result, Conflict) for result in results] == [False, True]
    found = await store.ticket(TENANT, "d")
    assert found is not None
    assert (found.used, found.outcome) == (START, "task_one")
    assert found.holds == a_ticket().holds


async def test_a_ticket_runs_out(store: Store) -> None:
    """From its expiry on, and in another tenant, there is nothing to use."""
    await store.commit(Unit(changes=(PutOneTimeCode(a_ticket()),)))
    for tenant, at in ((TENANT, START + timedelta(minutes=1)), ("other", START)):
        with pytest.raises(Conflict):
            await store.commit(Unit(changes=(UseOneTimeCode(tenant, "d", at),)))


async def test_old_tickets_are_dropped(store: Store) -> None:
    """What ran out long ago does not pile up, and what ran out just now is still known."""
    await store.commit(Unit(changes=(PutOneTimeCode(a_ticket("old")),)))
    await store.commit(Unit(changes=(PutOneTimeCode(a_ticket("late", START + timedelta(minutes=30))),)))
    assert await store.ticket(TENANT, "old") is not None
    await store.commit(Unit(changes=(PutOneTimeCode(a_ticket("new", START + timedelta(hours=2))),)))
    assert await store.ticket(TENANT, "old") is None


async def test_a_passkey_that_counts_must_rise(store: Store) -> None:
    """A counter that stands still or falls is refused; an authenticator that never counts is not."""
    await store.commit(Unit(changes=(PutPasskey(a_passkey()), PutPasskey(a_passkey("key-2", counter=5)))))
    later = START + timedelta(hours=1)
    await store.commit(Unit(changes=(UsePasskey(TENANT, "key-1", 0, later),)))
    for counter in (5, 4, 0):
        with pytest.raises(Conflict):
            await store.commit(Unit(changes=(UsePasskey(TENANT, "key-2", counter, later),)))
    await store.commit(Unit(changes=(UsePasskey(TENANT, "key-2", 6, later),)))
    found = await store.passkey(TENANT, "key-2")
    assert found is not None
    assert (found.counter, found.last_used) == (6, later)


async def test_a_passkey_belongs_to_one_person(store: Store) -> None:
    """A passkey's id is unique, and no other person removes the passkey."""
    await store.commit(Unit(changes=(PutPasskey(a_passkey()),)))
    with pytest.raises(Conflict):
        await store.commit(Unit(changes=(PutPasskey(a_passkey(person="leo")),)))
    with pytest.raises(Conflict):
        await store.commit(Unit(changes=(DropPasskey(TENANT, "key-1", "leo"),)))
    assert [one.id for one in await store.passkeys(TENANT, "lena")] == ["key-1"]
    await store.commit(Unit(changes=(DropPasskey(TENANT, "key-1", "lena"),)))
    assert await store.passkeys(TENANT, "lena") == []
    assert await store.passkey(TENANT, "key-1") is None


async def test_a_subject_is_one_person(store: Store) -> None:
    """Neither another person for the subject, nor another subject for the person."""
    link = Link(tenant=TENANT, issuer="https://idp.example", subject="1", person="lena", made=START)
    await store.commit(Unit(changes=(PutLink(link), PutLink(link))))
    for change in ({"person": "leo"}, {"subject": "2"}):
        with pytest.raises(Conflict):
            await store.commit(Unit(changes=(PutLink(msgspec.structs.replace(link, **change)),)))
    elsewhere = msgspec.structs.replace(link, issuer="https://other.example", subject="2")
    await store.commit(Unit(changes=(PutLink(elsewhere),)))
    assert await store.links(TENANT, "lena") == [link, elsewhere]
    assert await store.links(TENANT, "omar") == []
    assert await store.link(TENANT, "https://idp.example", "1") == link
    assert await store.link(TENANT, "https://idp.example", "2") is None


async def test_the_sessions_of_a_person_are_listed(store: Store) -> None:
    """A person's sessions are listed newest first, by kind, without those of other people."""
    for digest, person, kind, hours in (("a", "lena", "browser", 0), ("b", "lena", "session", 1),
                                        ("c", "leo", "browser", 2), ("d", "lena", "browser", 3)):  # fmt: skip
        made, until = START + timedelta(hours=hours), START + timedelta(days=1)
        one = Credential(tenant=TENANT, digest=digest, kind=kind, person=person, created=made, expires=until)
        await store.commit(Unit(changes=(PutCredential(one),)))
    assert [one.digest for one in await store.credentials(TENANT, person="lena")] == ["d", "b", "a"]
    assert [one.digest for one in await store.credentials(TENANT, person="lena", kind="browser")] == [
        "d",
        "a",
    ]
