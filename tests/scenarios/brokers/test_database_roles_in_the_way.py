# SPDX-License-Identifier: Apache-2.0
"""Threat: a leased database role outlives its end through another session's uncommitted changes, or through a
name.
"""

import asyncio
import contextlib

import psycopg
import pytest

from remit.adapters.broker.postgres.roles import role_of
from remit.core.errors import KeyUnavailable
from remit.ports.broker import Probe, UpstreamCredential
from tests.conformance.brokers import AtPostgres
from tests.servers.postgres_server import PostgresServer
from tests.worlds.database_roles import MAKER, broker_of, ended, run, session_of, wanted


@pytest.fixture
def place(postgres_server: PostgresServer) -> AtPostgres:
    """A database with customers, which only its administrator reads."""
    return AtPostgres(postgres_server)


async def test_a_role_that_is_still_being_made_is_not_taken_for_gone(place: AtPostgres) -> None:
    """remit was killed while PostgreSQL committed: the source confirms nothing until that has an end."""
    broker, lease = broker_of(place), "lse_halfway"
    left = UpstreamCredential(lease=lease)
    async with await psycopg.AsyncConnection.connect(place.admin_url) as killed:
        await killed.execute(f"create role {role_of(lease)} login")
        with pytest.raises(KeyUnavailable):
            await broker.revoke(left)
    assert role_of(lease) in place.roles()
    await ended(broker, place, left)


async def test_a_role_whose_making_is_rolled_back_is_gone(place: AtPostgres) -> None:
    """The end waits for it, and finds nothing."""
    broker, lease = broker_of(place), "lse_undone"
    left = UpstreamCredential(lease=lease)
    async with await psycopg.AsyncConnection.connect(place.admin_url) as killed:
        await killed.execute(f"create role {role_of(lease)} login")
        revoking = asyncio.create_task(broker.revoke(left))
        async with asyncio.timeout(30):
            await waits(place)
        await killed.rollback()
    await revoking
    assert role_of(lease) not in place.roles()
    assert await broker.probe(left) is Probe.REFUSED


async def waits(place: AtPostgres) -> None:
    """Return once a session of the administrator waits for another transaction."""
    asked = (
        "select count(*) from pg_stat_activity where usename = %s and cardinality(pg_blocking_pids(pid)) > 0"
    )
    async with await psycopg.AsyncConnection.connect(place.admin_url, autocommit=True) as admin:
        while await (await admin.execute(asked, (place.admin,))).fetchone() == (0,):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["a privilege", "a lock"])
async def test_what_another_leased_role_does_not_commit_keeps_no_lease_open(
    place: AtPostgres, how: str
) -> None:
    """It has its transaction cut, as little as that role's holder likes it."""
    broker = broker_of(place, *MAKER)
    given = await broker.obtain(wanted("lse_held"))
    other = await broker.obtain(wanted("lse_holding"))
    async with session_of(given) as theirs:
        await run(
            theirs, "create table crm.theirs (n int)", f"grant all on crm.theirs to {role_of(other.lease)}"
        )
    async with session_of(other) as session:
        await session.execute("begin")
        lines: tuple[str, ...]
        if how == "a privilege":
            lines = "create table crm.gift (n int)", f"grant all on crm.gift to {role_of(given.lease)}"
        else:
            lines = ("lock table crm.theirs in access share mode",)
        await run(session, *lines)
        async with asyncio.timeout(60):
            # On a busy machine the source may give up once, and is asked again, as an end does.
            while role_of(given.lease) in place.roles():
                with contextlib.suppress(KeyUnavailable):
                    await broker.revoke(given)
        with pytest.raises(psycopg.OperationalError):
            await session.execute("select 1")
    assert await broker.probe(given) is Probe.REFUSED
    await ended(broker, place, other)


async def test_no_schema_of_the_administrators_name_shadows_what_is_granted(place: AtPostgres) -> None:
    """`$user` stands in PostgreSQL's search path, before `public`; who may create schemas may create that."""
    async with await psycopg.AsyncConnection.connect(place.admin_url, autocommit=True) as admin:
        await run(
            admin,
            f"create schema {place.admin}",
            f"create table {place.admin}.orders (n int)",
        )
    async with await psycopg.AsyncConnection.connect(place.url, autocommit=True) as owner:
        await run(
            owner,
            "create table public.orders (n int)",
            f"alter table public.orders owner to {place.admin}",
        )
    broker = broker_of(place, "grant select on orders to {role}")
    given = await broker.obtain(wanted("lse_shadowed"))
    async with session_of(given) as session:
        await run(session, "select * from public.orders")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await run(session, f"select * from {place.admin}.orders")
    await ended(broker, place, given)
