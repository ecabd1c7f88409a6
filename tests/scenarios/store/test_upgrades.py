# SPDX-License-Identifier: Apache-2.0
"""Threat: an upgrade loses rows, stops half-way, or an older program opens a newer store."""

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import psycopg
import pytest

from remit.adapters.store.backup.backup_rows import types_at
from remit.adapters.store.postgres.schema import _OWN, raise_tables
from remit.adapters.store.postgres.schema import migrate as migrate_database
from remit.adapters.store.postgres.session import SCHEMA, PostgresSession, connect
from remit.adapters.store.relational.state.record import NO_ROWS, StateRecord
from remit.adapters.store.relational.store import RelationalStore
from remit.adapters.store.relational.tables import MIGRATIONS, VERSION
from remit.adapters.store.sqlite.schema import migrate
from remit.cli.doctor.checks import examine_all
from remit.cli.global_options import Invocation
from remit.core.errors import ConfigInvalid
from remit.core.findings.finding import Finding, finding_id
from remit.core.findings.kinds import FindingKind
from remit.ports.store.changes import (
    Credential,
    PutAgent,
    PutApproval,
    PutCredential,
    PutDelegation,
    PutFinding,
    PutPerson,
    PutTask,
    PutValue,
    RaiseFence,
)
from remit.ports.store.units import Unit
from tests.worlds.kept_store import KeptStore
from tests.worlds.stores import opened_postgres, opened_sqlite
from tests.worlds.values import (
    START,
    TENANT,
    a_delegation,
    a_permit,
    a_person,
    a_task,
    an_agent,
    an_approval,
    an_outcome,
)

#: Databases of PostgreSQL begin at this version of the common tables.
FIRST_IN_POSTGRES = 7
FINDING = Finding(
    tenant=TENANT,
    id=finding_id(FindingKind.SHARED_KEY, "agent:x", ""),
    kind=FindingKind.SHARED_KEY,
    about="agent:x",
    first_seen=START,
    last_seen=START,
)
SESSION = Credential(
    tenant=TENANT, digest="d", kind="session", person="lena", created=START, expires=START + timedelta(days=9)
)
#: What older versions kept in the body, which today's seals at its first start.
PLAIN = {"tasks": a_task(), "approvals": an_approval(), "delegations": a_delegation()}


@pytest.fixture
async def rows(tmp_path: Path) -> dict[str, list[dict[str, object]]]:
    """Rows of every table, as today's version writes them, with texts as older versions did."""
    folder = tmp_path / "today"
    folder.mkdir()
    store = opened_sqlite(folder)
    changes = (
        PutPerson(a_person("lena")),
        PutAgent(an_agent()),
        PutTask(a_task()),
        PutApproval(an_approval()),
        PutDelegation(a_delegation()),
        PutFinding(FINDING),
        PutCredential(SESSION),
        PutValue(TENANT, "one", {"n": 1}),
        RaiseFence(TENANT, "agent:x", locked=True),
    )
    with pytest.MonkeyPatch.context() as older_version:
        older_version.setattr(StateRecord, "before", lambda *_: NO_ROWS)
        await store.commit(Unit(changes, (a_permit("c1"), an_outcome("c1"))))
    await store.close()
    found: dict[str, list[dict[str, object]]] = {}
    with closing(sqlite3.connect(folder / "remit.db")) as made:
        made.row_factory = sqlite3.Row
        for name in types_at(VERSION):
            found[name] = [dict(row) for row in made.execute(f"select * from {name}")]
    for name, value in PLAIN.items():
        for row in found[name]:
            row |= {"body": msgspec.json.encode(value).decode(), "sealed": None}
    return found


def older(
    rows: dict[str, list[dict[str, object]]], version: int
) -> Iterator[tuple[str, list[str], list[object]]]:
    """Yield the rows that a version could hold: table, columns, values."""
    for name, types in types_at(version).items():
        for row in rows[name] if name != "schema_version" else ():
            yield name, list(types), [row[column] for column in types]


def a_file(path: Path, rows: dict[str, list[dict[str, object]]], version: int) -> None:
    """Make a store as that version left it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as made:
        made.execute("create table schema_version (version integer not null) strict")
        for number, steps in enumerate(MIGRATIONS[:version], 1):
            made.executescript(steps)
            made.execute("insert into schema_version values (?)", (number,))
        for name, columns, values in older(rows, version):
            marks = ", ".join("?" * len(values))
            made.execute(f"insert into {name} ({', '.join(columns)}) values ({marks})", values)


def a_database(url: str, rows: dict[str, list[dict[str, object]]], version: int, own: int) -> None:
    """Make a database as that version left it; `own` is the version of what only PostgreSQL has."""
    session = connect(url, "remit test")
    session.run(f"create schema {SCHEMA}")
    raise_tables(session, version)
    for number, steps in enumerate(_OWN[:own], 1):
        session.run(steps)
        session.execute("insert into schema_version values (?, ?)", ("turns", number))
    for name, columns, values in older(rows, version):
        marks = ", ".join("?" * len(values))
        session.execute(f"insert into {name} ({', '.join(columns)}) values ({marks})", values)
    session.close()


async def kept_all(store: RelationalStore, version: int) -> None:
    """Check that every row is there, and found by what today's version looks for."""
    assert await store.person(TENANT, "lena") is not None
    assert await store.agent(TENANT, "contract-bot") is not None
    assert await store.task(TENANT, "task_one") == a_task()
    assert [one.id for one in await store.tasks(TENANT, on_behalf_of="lena")] == ["task_one"]
    assert await store.approval(TENANT, "approval_one") == an_approval()
    assert await store.value(TENANT, "one") == {"n": 1}
    assert (await store.credentials(TENANT, person="lena"))[0].digest == "d"
    assert [one.locked for one in await store.fences(TENANT)] == [True]
    assert await store.size(TENANT) == 2
    if version >= 2:
        assert await store.delegation(TENANT, "dlg_one") == a_delegation()
        assert [one.id for one in await store.findings(TENANT, kinds=(FindingKind.SHARED_KEY,))] == [
            FINDING.id
        ]
    (first, _) = await store.entries(TENANT, start=0, limit=9, opened=True)
    assert first.openings, "values open under the key of then"


@pytest.mark.parametrize("version", range(1, VERSION + 1))
async def test_a_file_of_each_version_is_upgraded_with_its_rows(
    tmp_path: Path, rows: dict[str, list[dict[str, object]]], version: int
) -> None:
    """The log keeps its root, and values stay readable."""
    a_file(tmp_path / "remit.db", rows, version)
    store = opened_sqlite(tmp_path)
    await kept_all(store, version)
    await store.close()


@pytest.mark.parametrize(
    ("version", "own"),
    [*((one, 1) for one in range(FIRST_IN_POSTGRES, VERSION + 1)), *((VERSION - 1, one) for one in (2, 3))],
)
async def test_a_database_of_each_version_is_upgraded_with_its_rows(
    postgres: str, rows: dict[str, list[dict[str, object]]], version: int, own: int
) -> None:
    """Also where only what PostgreSQL needs for several writers is older."""
    a_database(postgres, rows, version, own)
    store = opened_postgres(postgres)
    await kept_all(store, version)
    await store.close()


def killed_after(statements: int, work: Callable[[Callable[[], None]], None]) -> bool:
    """Run work in a process that kills itself at a statement; return whether it was killed."""
    child = os.fork()
    if child == 0:
        left = [statements]

        def one_more() -> None:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            work(one_more)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def columns_of(path: Path) -> tuple[int, dict[str, dict[str, str]]]:
    """Return the version that a file states, and the columns that it has."""
    with closing(sqlite3.connect(path)) as made:
        (version,) = made.execute("select max(version) from schema_version").fetchone()
        names = [name for (name,) in made.execute("select name from sqlite_master where type = 'table'")]
        return version, {
            name: {row[1]: row[2].lower() for row in made.execute(f"pragma table_info({name})")}
            for name in names
            if name != "schema_version"
        }


async def test_a_file_whose_upgrade_is_killed_at_any_statement_is_whole(
    tmp_path: Path, rows: dict[str, list[dict[str, object]]]
) -> None:
    """Its version says which tables it has; the next start goes on from there."""
    path = tmp_path / "remit.db"
    for statements in range(500):
        for end in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        a_file(path, rows, 1)

        def work(one_more: Callable[[], None]) -> None:
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.set_trace_callback(lambda _: one_more())
                migrate(connection, path)

        killed = killed_after(statements, work)
        version, columns = columns_of(path)
        assert columns == {n: c for n, c in types_at(version).items() if n != "schema_version"}, statements
        if not killed:
            assert version == VERSION
            break
    else:
        pytest.fail("the upgrade was killed at each statement, and has more of them")
    store = opened_sqlite(tmp_path)
    await kept_all(store, 1)
    await store.close()


async def test_a_database_whose_upgrade_is_killed_at_any_statement_has_not_begun(
    postgres: str, rows: dict[str, list[dict[str, object]]]
) -> None:
    """One transaction holds all of it."""
    a_database(postgres, rows, FIRST_IN_POSTGRES, 1)
    for statements in range(100):

        def work(one_more: Callable[[], None]) -> None:
            session = connect(postgres, "remit test")

            class Counted(PostgresSession):
                def run(self, script: str) -> None:
                    one_more()
                    super().run(script)

            session.__class__ = Counted
            migrate_database(session, "here")

        killed = killed_after(statements, work)
        with psycopg.connect(postgres) as looked:
            (version,) = looked.execute(
                "select max(version) from remit.schema_version where part = 'tables'"
            ).fetchone() or (0,)
        assert version == (FIRST_IN_POSTGRES if killed else VERSION), statements
        if not killed:
            break
    store = opened_postgres(postgres)
    await kept_all(store, FIRST_IN_POSTGRES)
    await store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_store_of_a_newer_program_is_refused_and_doctor_tells(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    """Doctor also tells of an older one, which the next start migrates."""
    url = request.getfixturevalue("postgres") if kind == "postgres" else ""
    kept = KeptStore(tmp_path / "house", url)
    await kept.commit()

    def state(*statements: str) -> None:
        if url:
            with psycopg.connect(url) as database:
                for one in statements:
                    database.execute(one.format("remit.schema_version", "'tables', "))
        else:
            with closing(sqlite3.connect(kept.folder / ".remit" / "remit.db", isolation_level=None)) as file:
                for one in statements:
                    file.execute(one.format("schema_version", ""))

    def told() -> list[str]:
        checks = examine_all(Invocation(config=str(kept.folder / "remit.yaml")))
        return [one.state for one in checks if "schema version" in one.says]

    assert told() == []
    state(f"insert into {{}} values ({{}}{VERSION + 1})")
    assert told() == ["fail"]
    with pytest.raises(ConfigInvalid, match="supports"):
        await kept.commit()
    state(f"delete from {{}} where version >= {VERSION}")
    assert told() == ["note"]
