# SPDX-License-Identifier: Apache-2.0
"""A leased database role whose holder does all that a role can do against its end, on a real PostgreSQL."""

import asyncio
import contextlib
from datetime import timedelta

import msgspec
import psycopg
import pytest

from remit.adapters.broker.postgres.roles import role_of
from remit.core.errors import KeyUnavailable
from remit.ports.broker import Probe
from tests.conformance.brokers import AtPostgres
from tests.servers.postgres_server import PostgresServer
from tests.worlds.database_roles import MAKER, Session, broker_of, ended, place, run, session_of, wanted

__all__ = ["place"]


@pytest.fixture
def settled_place(own_postgres: PostgresServer) -> AtPostgres:
    """Provide the same at a separate server, which keeps prepared transactions and few locks."""
    for line in (
        "alter system set max_prepared_transactions = 5",
        "alter system set max_locks_per_transaction = 10",
        "alter system set max_connections = 20",
        "alter system set wal_level = 'logical'",
    ):
        own_postgres.ask(line)
    own_postgres.stop()
    own_postgres.start()
    return AtPostgres(own_postgres)


async def cut(session: Session) -> bool:
    """Whether the server has ended a session."""
    try:
        await session.execute("select 1")
    except psycopg.OperationalError:
        return True
    return False


@pytest.mark.parametrize(
    ("planted", "used"),
    [
        ("function crm.gift() returns name security definer return current_user", "select crm.gift()"),
        ("view crm.gift as select name from crm.customers", "select name from crm.gift"),
    ],
    ids=["function", "view"],
)
async def test_what_a_role_plants_never_runs_as_the_administrator(
    place: AtPostgres, planted: str, used: str
) -> None:
    """A later task that may read nothing finds nothing to read it with."""
    first = broker_of(place, "grant usage, create on schema crm to {role}")
    given = await first.obtain(wanted("lse_planter"))
    async with session_of(given) as session:
        await run(session, f"create {planted}")
        if "view" in planted:
            await session.execute("grant select on crm.gift to public")
    await ended(first, place, given)
    later = broker_of(place, "grant usage on schema crm to {role}")
    given = await later.obtain(wanted("lse_later"))
    async with session_of(given) as session:
        with pytest.raises((psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedTable)):
            await run(session, used)
    await ended(later, place, given)


async def test_a_role_that_locks_its_own_row_is_ended(place: AtPostgres) -> None:
    """Its password changed and not committed: what would shut it out waits for itself, unless that is cut."""
    broker = broker_of(place)
    given = await broker.obtain(wanted("lse_locker"))
    async with session_of(given) as session:
        await session.execute("begin")
        await session.execute("alter role current_user password 'mine'")
        await ended(broker, place, given)
        assert await cut(session)


async def test_a_role_that_comes_back_as_fast_as_it_can_is_ended(place: AtPostgres) -> None:
    """Five clients log in without pause, each locking the role's row, or changing it, as soon as it is in."""
    broker = broker_of(place)
    given = await broker.obtain(wanted("lse_swarm"))
    came = asyncio.Event()

    async def locking(number: int) -> None:
        while True:
            with contextlib.suppress(psycopg.Error):
                async with session_of(given) as session:
                    await session.execute("begin")
                    await run(session, f"alter role current_user password '{given.secrets[0]}'")
                    came.set()
                    if number % 2:
                        await session.execute("commit")
                    await session.execute("select pg_sleep(60)")
            await asyncio.sleep(0)

    clients = [asyncio.create_task(locking(number)) for number in range(5)]
    try:
        async with asyncio.timeout(60):
            await came.wait()
            # On a busy machine the source may give up once, and is asked again, as an end does.
            while role_of(given.lease) in place.roles():
                with contextlib.suppress(KeyUnavailable):
                    await broker.revoke(given)
        await ended(broker, place, given)
    finally:
        for one in clients:
            one.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


async def test_a_login_that_pauses_before_its_session_shows_is_ended(place: AtPostgres) -> None:
    """A client can make PostgreSQL wait between the login and the first sight of the session."""
    broker = broker_of(place)
    given = await broker.obtain(wanted("lse_pausing"))
    pausing = asyncio.create_task(
        psycopg.AsyncConnection.connect(given.headers["X-Database"] + "?options=-c%20post_auth_delay%3D20")
    )
    # A login that pauses cannot be seen: that is the case under test.
    await asyncio.sleep(1)
    assert not pausing.done()
    await broker.revoke(given)
    with pytest.raises(psycopg.OperationalError):
        async with await pausing as session:
            await session.execute("select 1")
    assert await broker.probe(given) is Probe.REFUSED


async def test_a_session_past_its_time_is_not_dead(place: AtPostgres) -> None:
    """`valid until` concerns logins: an open session reads on, and the probe reports that."""
    broker = broker_of(place)
    given = await broker.obtain(wanted("lse_past", life=timedelta(seconds=2)))
    async with session_of(given) as session:
        async with asyncio.timeout(20):
            while True:
                try:
                    async with session_of(given):
                        await asyncio.sleep(0.05)
                except psycopg.OperationalError:
                    break
        assert await (await session.execute("select 1")).fetchall() == [(1,)]
        assert await broker.probe(given) is Probe.ACCEPTED
    assert await broker.probe(given) is not Probe.REFUSED
    await ended(broker, place, given)


async def test_another_password_is_no_refusal(place: AtPostgres) -> None:
    """A role that has changed its password refuses the old one, and lives."""
    broker = broker_of(place)
    given = await broker.obtain(wanted("lse_own"))
    async with session_of(given) as session:
        await session.execute("alter role current_user password 'mine'")
    assert await broker.probe(given) is not Probe.REFUSED
    await ended(broker, place, given)


async def test_a_session_of_a_dropped_role_is_not_dead(
    place: AtPostgres, postgres_server: PostgresServer
) -> None:
    """The session of a dropped role goes on, whichever party dropped the role; the probe asks the catalogue
    for that, too.
    """
    broker = broker_of(place)
    given = await broker.obtain(wanted("lse_dropped"))
    unknown = msgspec.structs.replace(given, handle={})
    async with session_of(given) as session:
        await session.execute("begin")
        for line in ("drop owned by {}", "drop role {}"):
            postgres_server.ask(line.format(role_of("lse_dropped")), database=place.database)
        assert await broker.probe(given) is Probe.ACCEPTED
        assert await broker.probe(unknown) is Probe.ACCEPTED
    async with asyncio.timeout(20):
        while await broker.probe(given) is not Probe.REFUSED:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
    assert await broker.probe(unknown) is Probe.REFUSED


async def test_what_serves_others_goes_with_the_role(place: AtPostgres) -> None:
    """Privileges that it has handed on, default privileges, a trigger, a server with its accounts."""
    admin_of = "grant select on crm.customers to {role} with grant option"
    broker = broker_of(place, MAKER[0], admin_of, "grant references, trigger on crm.customers to {role}")
    other = await broker_of(place, "grant usage on schema crm to {role}").obtain(wanted("lse_other"))
    given = await broker.obtain(wanted("lse_host"))
    friend = role_of("lse_other")
    async with session_of(given) as session:
        await run(
            session,
            "grant select on crm.customers to public",
            f"grant select on crm.customers to {friend}",
            f"alter default privileges in schema crm grant all on tables to {friend}",
            "create function crm.tell() returns trigger language plpgsql as $$ begin return new; end $$",
            "create trigger tell before insert on crm.customers for each row execute function crm.tell()",
            "create table crm.kept (name text)",
            f"grant all on crm.kept to {friend}",
            "alter role current_user set statement_timeout to 0",
        )
    async with session_of(other) as session:
        assert await (await session.execute("select count(*) from crm.kept")).fetchall() == [(0,)]
    await ended(broker, place, given)
    async with session_of(other) as session:
        for table, fault in (
            ("crm.customers", psycopg.errors.InsufficientPrivilege),
            ("crm.kept", psycopg.errors.UndefinedTable),
        ):
            with pytest.raises(fault):
                await run(session, f"select count(*) from {table}")
        left = "select tgname from pg_trigger where tgrelid = 'crm.customers'::regclass and not tgisinternal"
        assert await (await session.execute(left)).fetchall() == []
    await ended(broker, place, other)


async def test_two_roles_that_hold_each_other_end(place: AtPostgres) -> None:
    """What one has given to the other keeps neither alive, whichever ends first."""
    broker = broker_of(place, *MAKER)
    first, second = [await broker.obtain(wanted(f"lse_{name}")) for name in ("left", "right")]
    for given, table, other in ((first, "crm.one", "lse_right"), (second, "crm.two", "lse_left")):
        async with session_of(given) as session:
            await run(
                session,
                f"create table {table} (n int)",
                f"grant all on {table} to {role_of(other)} with grant option",
                f"grant select (n) on {table} to {role_of(other)} with grant option",
                f"create function {table}() returns int return 1",
                f"grant execute on function {table} to {role_of(other)} with grant option",
                f"alter default privileges grant all on tables to {role_of(other)} with grant option",
            )
    async with session_of(second):
        await ended(broker, place, first)
    await ended(broker, place, second)


async def test_what_nobody_of_us_gave_keeps_the_lease_open(
    place: AtPostgres, postgres_server: PostgresServer
) -> None:
    """Another user of the database gives it a table: the role is shut, and open until that is taken back."""
    friend = f"friend_of_{place.database}"
    async with await psycopg.AsyncConnection.connect(place.admin_url, autocommit=True) as admin:
        await run(admin, f"create role {friend} login password 'theirs'")
        await run(admin, f"grant usage, create on schema crm to {friend}")
    broker = broker_of(place)
    given = await broker.obtain(wanted("lse_befriended"))
    address = place.admin_url.replace(place.admin, friend).replace("of-the-admin", "theirs")
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as session:
        grant = f"grant all on crm.theirs to {role_of('lse_befriended')} with grant option"
        await run(session, "create table crm.theirs (n int)", grant)
        with pytest.raises(KeyUnavailable) as fault:
            await broker.revoke(given)
        assert fault.value.code == "source-refused"
        assert await broker.probe(given) is Probe.UNREACHABLE
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            await psycopg.AsyncConnection.connect(given.headers["X-Database"])
        await run(session, "drop table crm.theirs")
    await ended(broker, place, given)


async def test_a_membership_that_a_role_hands_on_goes_with_it(
    place: AtPostgres, postgres_server: PostgresServer
) -> None:
    """A role that it may give to others is no more theirs than its own."""
    group = f"readers_of_{place.database}"
    async with await psycopg.AsyncConnection.connect(place.admin_url, autocommit=True) as admin:
        await run(admin, f"create role {group}")
        await run(admin, f"grant select on crm.customers to {group}")
    broker = broker_of(place, f"grant {group} to {{role}} with admin option")
    other = await broker_of(place).obtain(wanted("lse_taker"))
    given = await broker.obtain(wanted("lse_giver"))
    async with session_of(given) as session:
        await run(session, f"grant {group} to {role_of('lse_taker')}")
    await ended(broker, place, given)
    asked = f"select pg_has_role('{role_of('lse_taker')}', '{group}', 'member')"
    assert postgres_server.ask(asked, database=place.database) == [(False,)]
    await ended(broker, place, other)


async def test_a_prepared_transaction_is_rolled_back(settled_place: AtPostgres) -> None:
    """It holds locks, the role's own row among them, and needs no session for that."""
    broker = broker_of(settled_place, *MAKER)
    given = await broker.obtain(wanted("lse_prepared"))
    async with session_of(given) as session:
        await run(
            session,
            "begin",
            "alter role current_user password 'mine'",
            "create table crm.waiting (n int)",
            "prepare transaction 'it''s mine'",
        )
    assert await broker.probe(given) is not Probe.REFUSED
    await ended(broker, settled_place, given)


async def test_objects_in_another_database_and_more_than_one_transaction_drops(
    settled_place: AtPostgres,
) -> None:
    """Any role may log in to `postgres`, and leave thousands of large objects and a transaction there."""
    broker = broker_of(settled_place)
    given = await broker.obtain(wanted("lse_elsewhere"))
    async with session_of(given, dbname="postgres") as session:
        await run(
            session,
            "begin",
            "select lo_create(0)",
            "alter role current_user password 'mine'",
            "prepare transaction 'elsewhere'",
        )
    for database in (settled_place.database, "postgres"):
        async with session_of(given, dbname=database) as session:
            for _ in range(10):
                await session.execute("select lo_create(0) from generate_series(1, 400)")
    async with asyncio.timeout(60):
        await ended(broker, settled_place, given)


async def test_more_of_its_own_making_than_one_transaction_drops(settled_place: AtPostgres) -> None:
    """A role that may create makes thousands: each needs a lock to be dropped, and the server has few."""
    broker = broker_of(settled_place, *MAKER)
    given = await broker.obtain(wanted("lse_thousands"))
    made = "create function crm.f%s() returns int return 1", "create view crm.v%s as select 1"
    async with session_of(given) as session:
        for statement, many in zip(made, (3_000, 50), strict=True):
            loop = f"for n in 1..{many} loop execute format('{statement}', n); end loop"
            await run(session, f"do $$ begin {loop}; end $$")
    async with asyncio.timeout(60):
        await ended(broker, settled_place, given)


async def test_what_cannot_be_dropped_elsewhere_is_said(
    place: AtPostgres, postgres_server: PostgresServer
) -> None:
    """The administrator may not log in there: the role is shut, the lease is open, and says where."""
    closed = postgres_server.fresh().rsplit("/", 1)[1]
    broker = broker_of(place)
    given = await broker.obtain(wanted("lse_closed"))
    async with session_of(given, dbname=closed) as session:
        await session.execute("select lo_create(0)")
    postgres_server.ask(f"revoke connect on database {closed} from public")
    with pytest.raises(KeyUnavailable, match=closed) as fault:
        await broker.revoke(given)
    assert fault.value.code == "objects-left"
    assert await broker.probe(given) is Probe.UNREACHABLE
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        await psycopg.AsyncConnection.connect(given.headers["X-Database"])
    postgres_server.ask(f"grant connect on database {closed} to public")
    await ended(broker, place, given)


async def test_a_subscription_ends(settled_place: AtPostgres, own_postgres: PostgresServer) -> None:
    """Its worker logs in by itself, as the role, whenever it has been ended."""
    own_postgres.ask(f"grant pg_create_subscription to {settled_place.admin} with admin option")
    database = settled_place.database
    own_postgres.ask(f"grant create on database {database} to {settled_place.admin} with grant option")
    broker = broker_of(
        settled_place,
        "grant pg_create_subscription to {role}",
        f"grant create on database {database} to {{role}}",
    )
    given = await broker.obtain(wanted("lse_subscriber"))
    async with session_of(given) as session:
        await run(
            session,
            "create subscription theirs connection 'host=127.0.0.1 port=1 user=x password=x' publication p "
            "with (connect = false, slot_name = 'theirs')",
            "alter subscription theirs enable",
        )
    await ended(broker, settled_place, given)
    assert own_postgres.ask("select subname from pg_subscription") == []


async def test_a_lock_of_somebody_else_keeps_the_lease_open_and_no_longer(place: AtPostgres) -> None:
    """Another session holds what must be changed: the source gives up after a while, and says who."""
    broker = broker_of(place, *place.GRANTS)
    given = await broker.obtain(wanted("lse_waiting"))
    async with await psycopg.AsyncConnection.connect(place.admin_url) as admin:
        await admin.execute("select * from crm.customers")
        with pytest.raises(KeyUnavailable, match=place.admin) as fault:
            await broker.revoke(given)
        assert fault.value.code == "source-locked"
        await admin.execute("select * from crm.customers")
        assert await broker.probe(given) is Probe.UNREACHABLE
    await ended(broker, place, given)
