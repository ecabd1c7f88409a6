# SPDX-License-Identifier: Apache-2.0
"""Roles of a real PostgreSQL: one for each task, narrowed to it, and refused once it has ended."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest

from remit.adapters.broker.postgres.roles import PostgresBroker, role_of
from remit.adapters.runtime.system import SystemEntropy
from remit.core.errors import KeyUnavailable
from remit.ports.broker import Probe, UpstreamCredential
from tests.conformance.brokers import AtPostgres
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.postgres_server import PostgresServer
from tests.worlds.database_roles import place, wanted

__all__ = ["place"]
Json = Any


async def test_sessions_end_with_the_task(place: AtPostgres, postgres_server: PostgresServer) -> None:
    """A connection that is open, in a transaction even, is cut; nothing of the role is left."""
    broker = await place.broker()
    given = await broker.obtain(wanted("lse_sessions"))
    async with await psycopg.AsyncConnection.connect(given.headers["X-Database"]) as session:
        assert await (await session.execute("select name from crm.customers")).fetchall() == [("C-42",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await session.execute("delete from crm.customers")
        await session.rollback()
        await session.execute("begin")
        await broker.revoke(given)
        with pytest.raises(psycopg.OperationalError):
            await session.execute("select 1")
    assert role_of("lse_sessions") not in place.roles()
    assert postgres_server.ask("select polname from pg_policy", database=place.database) == []


async def test_what_a_role_has_made_goes_with_it(place: AtPostgres) -> None:
    """Rows that the role wrote into others' tables stay; its own table does not."""
    grants = ("grant usage, create on schema crm to {role}", "grant insert on crm.customers to {role}")
    broker = PostgresBroker(
        lambda: place.admin_url, grants=grants, headers=place.HEADERS, entropy=SystemEntropy()
    )
    async with await psycopg.AsyncConnection.connect(place.admin_url, autocommit=True) as admin:
        await admin.execute("alter table crm.customers disable row level security")
        given = await broker.obtain(wanted("lse_maker"))
        async with await psycopg.AsyncConnection.connect(given.headers["X-Database"]) as session:
            await session.execute("create table crm.report as select 1 as n")
            await session.execute("insert into crm.customers values ('C-44')")
        await broker.revoke(given)
        written = await admin.execute("select name from crm.customers order by name")
        assert await written.fetchall() == [("C-42",), ("C-43",), ("C-44",)]
        with pytest.raises(psycopg.errors.UndefinedTable):
            await admin.execute("select n from crm.report")


@pytest.mark.parametrize(
    "customer", ["x') or true --", "x'); drop table crm.customers; --", 'C"42', "C\\'42"]
)
async def test_a_parameter_is_a_text_and_never_a_statement(place: AtPostgres, customer: str) -> None:
    """Whatever it holds, it is quoted: the role sees nothing more, and nothing else happens."""
    broker = await place.broker()
    given = await broker.obtain(wanted("lse_quoted", customer))
    async with await psycopg.AsyncConnection.connect(given.headers["X-Database"]) as session:
        assert await (await session.execute("select name from crm.customers")).fetchall() == []
    await broker.revoke(given)


async def test_a_grant_that_cannot_be_filled_in_or_fails_leaves_no_role(place: AtPostgres) -> None:
    """Role and grants are one transaction; the refusal names the parameter, or the database's code."""
    for grant, told in (
        ("grant select on crm.{table} to {role}", "no parameter `table`"),
        ("grant select on crm.nothing to {role}", "refuses: 42P01"),
        ("grant pg_read_all_data to {role}", "refuses: 42501"),
    ):
        broker = PostgresBroker(
            lambda: place.admin_url, grants=(grant,), headers=place.HEADERS, entropy=SystemEntropy()
        )
        with pytest.raises(KeyUnavailable, match=told):
            await broker.obtain(wanted("lse_half"))
    assert role_of("lse_half") not in place.roles()


async def test_only_a_lease_names_a_role(place: AtPostgres) -> None:
    """No other role of the database can be dropped by way of a lease's name."""
    broker = await place.broker()
    for name in ("", "lse_", "lse_A", 'lse_x"; drop', "postgres", "lse_x/../y"):
        with pytest.raises(KeyUnavailable, match="is no lease"):
            await broker.revoke(UpstreamCredential(lease=name))


async def test_no_password_is_in_the_servers_log(own_postgres: PostgresServer) -> None:
    """A server that logs every statement logs a verifier, which does not suffice to log in."""
    place = AtPostgres(own_postgres)
    own_postgres.ask("alter system set log_statement = 'all'")
    own_postgres.ask("select pg_reload_conf()")
    async with asyncio.timeout(60):
        while own_postgres.ask("show log_statement") != [("all",)]:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.05)
    given = await (await place.broker()).obtain(wanted("lse_logged"))
    log = own_postgres.log.read_text()
    assert "create role" in log
    assert "SCRAM-SHA-256$" in log
    assert not any(secret in log for secret in given.secrets)


async def test_a_server_that_starts_anew_has_refused_nobody(own_postgres: PostgresServer) -> None:
    """A login that fails for another reason is no refusal: none there, no room, or no database."""
    place = AtPostgres(own_postgres)
    broker = await place.broker()
    given = await broker.obtain(wanted("lse_busy"))
    own_postgres.ask(f"alter role {role_of('lse_busy')} connection limit 0")
    assert await broker.probe(given) is Probe.UNREACHABLE
    own_postgres.ask(f"alter role {role_of('lse_busy')} connection limit 5")
    assert await broker.probe(given) is Probe.ACCEPTED
    own_postgres.pause(True)
    try:
        assert await broker.probe(given) is Probe.UNREACHABLE
    finally:
        own_postgres.pause(False)
    own_postgres.stop("killed")
    assert await broker.probe(given) is Probe.UNREACHABLE
    own_postgres.start()
    assert await broker.probe(given) is Probe.ACCEPTED


@pytest.fixture
def gateway(tmp_path: Path, place: AtPostgres) -> Iterator[LeasingGateway]:
    """A gateway whose `crm` is given a database role for each task."""
    grants = [one for one in place.GRANTS if "policy" not in one]
    lease = {"postgres": {"admin": "env:CRM_DATABASE", "grants": grants}, "headers": place.HEADERS}
    with (
        mock.patch.dict(os.environ, {"CRM_DATABASE": place.admin_url}),
        LeasingGateway(tmp_path, lease) as made,
    ):
        yield made


def test_a_session_that_would_hold_its_own_end_up_is_ended(gateway: LeasingGateway) -> None:
    """It has changed the role's password and not committed: the closure is closed, and the session is cut."""
    task, token = gateway.open()
    gateway.call(token)
    (headers,) = gateway.shown()
    with psycopg.connect(headers["x-database"]) as session:
        session.execute("alter role current_user password 'mine'")
        closure = gateway.closed_up(task)
        with pytest.raises(psycopg.OperationalError):
            session.execute("select name from crm.customers")
    assert closure["closed"]


def test_a_real_login_is_refused_once_the_end_has_returned(gateway: LeasingGateway) -> None:
    """The upstream's own connection, by the header that it was sent, works until the end and not after it."""
    task, token = gateway.open()
    gateway.call(token)
    (headers,) = gateway.shown()
    address = headers["x-database"]
    with psycopg.connect(address) as session:
        session.execute("select name from crm.customers")
        started = time.monotonic()
        gateway.end(task)
        took_s = time.monotonic() - started
        with pytest.raises(psycopg.OperationalError):
            session.execute("select 1")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(address)
    (closure, *_) = gateway.wait(gateway.services.store.closures(gateway.services.tenant))
    (closing,) = [one for one in closure.closings if one.lease]
    assert closing.kind == "postgres-role"
    assert closing.refused_after_ms is not None
    assert closing.refused_after_ms < took_s * 1_000 + 1
    assert closure.closed
    said = gateway.remit("end", task, "--prove", session=gateway.session(), env={"COLUMNS": "180"})
    assert "postgres-role" in said.stdout
    assert address not in said.stdout
