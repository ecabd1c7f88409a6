# SPDX-License-Identifier: Apache-2.0
"""Leased database roles and what their holders do with them, at a real PostgreSQL."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from remit.adapters.broker.postgres.roles import PostgresBroker, role_of
from remit.adapters.runtime.system import SystemEntropy
from remit.core.tasks.task import Intent
from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential
from tests.conformance.brokers import AtPostgres
from tests.servers.postgres_server import PostgresServer
from tests.worlds.values import START, a_task

Json = Any
Session = psycopg.AsyncConnection[tuple[Any, ...]]
Rows = list[tuple[Any, ...]]

MAKER = ("grant usage, create on schema crm to {role}", "grant select on crm.customers to {role}")


def broker_of(place: AtPostgres, *grants: str) -> PostgresBroker:
    """Return a broker with these grants; to read customers unless given."""
    return PostgresBroker(
        lambda: place.admin_url,
        grants=grants or place.GRANTS[:2],
        headers=place.HEADERS,
        entropy=SystemEntropy(),
    )


def wanted(lease: str, customer: str = "C-42", life: timedelta = timedelta(hours=1)) -> LeaseWanted:
    """Return what a task wants that is about one customer."""
    intent = Intent(goal="look up", params={"id": customer}, requested_by="lena", stated_at=START)
    return LeaseWanted(lease, "crm", a_task(intent=intent, deadline=datetime.now(UTC) + life))


@asynccontextmanager
async def session_of(given: UpstreamCredential, suffix: str = "", **options: Json) -> AsyncIterator[Session]:
    """Log in with a lease; that the server ends the session is no fault of the test."""
    address = given.headers["X-Database"] + suffix
    made = await psycopg.AsyncConnection.connect(address, autocommit=True, **options)
    try:
        yield made
    finally:
        with contextlib.suppress(psycopg.Error):
            await made.close()


async def run(session: Session, *lines: str) -> Rows:
    """Execute statements; gives what the last one gives."""
    found: Rows = []
    for line in lines:
        told = await session.execute(line)
        found = await told.fetchall() if told.description else []
    return found


async def ended(broker: PostgresBroker, place: AtPostgres, given: UpstreamCredential) -> None:
    """Take a lease back, and see that nothing of its role is left."""
    await broker.revoke(given)
    assert role_of(given.lease) not in place.roles()
    assert await broker.probe(given) is Probe.REFUSED


@pytest.fixture
def place(postgres_server: PostgresServer) -> AtPostgres:
    """A database with customers, which only its administrator reads."""
    return AtPostgres(postgres_server)
