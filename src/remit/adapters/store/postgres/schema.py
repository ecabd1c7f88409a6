# SPDX-License-Identifier: Apache-2.0
"""The tables on PostgreSQL: those that all databases have, and what lets several processes write.

`turns` has one row a tenant. Whoever writes locks it for the length of a transaction, so the database itself
lets one writer at a time, and `turn` counts the transactions: a writer whose own count is the row's knows
that what it has in memory is the truth. Fences and withdrawals are stamped with the turn that changed them,
so a writer that comes back takes in just those.
"""

from __future__ import annotations

import re

from remit.adapters.store.postgres.session import SCHEMA, PostgresSession
from remit.adapters.store.relational.tables import MIGRATIONS
from remit.core.errors import ConfigInvalid, StoreUnavailable

#: Keys of advisory locks, in the database's own space of them: `remit` in ASCII, and a number.
MIGRATING = 0x72656D697401
WRITING = 0x72656D697402

#: The oldest server whose words we use (`pg_xact_status` with 64-bit transaction ids).
OLDEST = 13

# One migration a version, forward only. A released one is never edited.
_OWN: tuple[str, ...] = (
    """
    -- One row, changed by every commit: room on its page keeps that from costing an index entry each time.
    create table turns (
        tenant text collate "C" primary key, turn bigint not null, writer text not null,
        forgot bigint not null
    ) with (fillfactor = 20);
    alter table fences add column turn bigint not null default 0;
    create index fences_by_turn on fences (tenant, turn);
    alter table withdrawn add column turn bigint not null default 0;
    create index withdrawn_by_turn on withdrawn (tenant, turn);
    create function stamp() returns trigger language plpgsql as $$
    begin
        new.turn := coalesce((select turns.turn from turns where turns.tenant = new.tenant), 0) + 1;
        return new;
    end
    $$;
    create trigger stamped before insert or update on fences for each row execute function stamp();
    create trigger stamped before insert or update on withdrawn for each row execute function stamp();
    """,
)

_WORDS = (
    (r"\bstrict(, without rowid)?(?=;)", ""),
    (r"\binteger\b", "bigint"),
    (r"\bblob\b", "bytea"),
    # By bytes, as everywhere else: names are found by how they begin, and order means the same everywhere.
    (r"\btext\b", 'text collate "C"'),
)


def _spoken(steps: str) -> str:
    """Give a migration of the common tables in PostgreSQL's words."""
    steps = re.sub(r"--[^\n]*", "", steps)
    for ours, theirs in _WORDS:
        steps = re.sub(ours, theirs, steps)
    return steps


def migrate(session: PostgresSession, place: str) -> None:
    """Bring the schema up to date in one transaction, one process at a time.

    Raises `ConfigInvalid` for a schema that is newer than this program, `StoreUnavailable` for a server that
    is too old or a database that cannot hold every text.
    """
    version = session.connection.info.server_version // 10_000
    if version < OLDEST:
        raise StoreUnavailable(
            f"`{place}` is PostgreSQL {version}", way_out=f"use PostgreSQL {OLDEST} or newer"
        )
    (encoding,) = session.execute("show server_encoding").fetchone()
    if encoding != "UTF8":
        raise StoreUnavailable(
            f"the database `{place}` keeps text as {encoding}",
            way_out="create one with `encoding 'UTF8'`",
        )
    # What a migration takes, it takes.
    session.run("begin; set local statement_timeout = 0")
    try:
        session.execute("select pg_advisory_xact_lock(?)", (MIGRATING,))
        if session.execute("select to_regnamespace(?)::text", (SCHEMA,)).fetchone()[0] is None:
            session.run(f"create schema {SCHEMA}")
        session.run(
            'create table if not exists schema_version (part text collate "C", version bigint,'
            " primary key (part, version))"
        )
        for part, steps in (("tables", [_spoken(one) for one in MIGRATIONS]), ("turns", list(_OWN))):
            _raise_part(session, place, part, steps)
    except BaseException:
        session.run("rollback")
        raise
    session.run("commit")


def _raise_part(session: PostgresSession, place: str, part: str, steps: list[str]) -> None:
    (found,) = session.execute(
        "select coalesce(max(version), 0) from schema_version where part = ?", (part,)
    ).fetchone()
    if found > len(steps):
        raise ConfigInvalid(
            f"`{place}` has version {found} of `{part}`, and this program knows {len(steps)}",
            key="store.url",
            way_out="use the remit that wrote it, or a newer one",
        )
    for version in range(found + 1, len(steps) + 1):
        session.run(steps[version - 1])
        session.execute("insert into schema_version values (?, ?)", (part, version))
