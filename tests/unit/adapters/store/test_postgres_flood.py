# SPDX-License-Identifier: Apache-2.0
"""A role that may connect, and nothing else, floods the channel that wakes replicas."""

import asyncio
from contextlib import closing

import psycopg
import pytest

from remit.adapters.store.postgres.listening import DEAF_S, MOST
from remit.adapters.store.postgres.replicas import PostgresFleet
from remit.adapters.store.postgres.schema import CHANNEL
from remit.core.replicas.replica import Replica
from remit.ports.store.changes import RaiseFence
from remit.ports.store.replicas import FleetSight
from remit.ports.store.units import Unit
from tests.gateways.several_replicas import until
from tests.worlds.stores import opened_postgres
from tests.worlds.values import START, TENANT, WorldClock

FLOOD = 20_000


def flood(url: str) -> None:
    """Notify, as a role that may connect and nothing else."""
    with closing(psycopg.connect(url, autocommit=True)) as aside:
        aside.execute("drop role if exists guest")
        aside.execute("create role guest")
        aside.execute("set role guest")
        for start in range(0, FLOOD, 5000):
            query = f"select pg_notify('{CHANNEL}', n::text) from generate_series({start}, {start + 4999}) n"
            aside.execute(query)
        aside.execute("reset role")
        aside.execute("drop role guest")


async def test_a_flood_of_notifications_is_listened_to_up_to_a_bound(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renewals look meanwhile, and after a while this process is woken again."""
    heard = [0]
    notified = PostgresFleet._notified

    def counted(self: PostgresFleet, table: bytes) -> None:
        heard[0] += 1
        notified(self, table)

    monkeypatch.setattr(PostgresFleet, "_notified", counted)
    store, other = opened_postgres(postgres), opened_postgres(postgres, "other")
    clock = WorldClock()
    fleet = store.fleet(TENANT, clock)
    sights: list[FleetSight] = []
    await fleet.join(Replica(id=store.writer, host="here", joined=START, lease_s=30.0), sights.append)
    await fleet.renew()
    await asyncio.to_thread(flood, postgres)
    await fleet.renew()
    # What was on its way when it stopped listening was heard all the same. Of a second flood nothing is.
    assert (before := heard[0]) > MOST
    await asyncio.to_thread(flood, postgres)
    await fleet.renew()
    assert heard[0] == before
    await other.commit(Unit((RaiseFence(TENANT, "task:one"),)))
    await fleet.renew()
    assert "task:one" in store.epochs(TENANT)
    clock.advance(DEAF_S)

    async def listens() -> bool:
        known = heard[0]
        await other.commit(Unit((RaiseFence(TENANT, "task:two"),)))
        await asyncio.sleep(0.05)
        return heard[0] > known

    await until(listens)

    async def knows() -> bool:
        return "task:two" in store.epochs(TENANT)

    await until(knows)
    await fleet.leave()
    for one in (store, other):
        await one.close()
