# SPDX-License-Identifier: Apache-2.0
"""The tables on PostgreSQL: the tables of every database, and those that let several processes write.

`turns` has one row for each tenant. A writer locks that row for the length of a transaction, so the database
itself admits one writer at a time. `turn` counts the transactions: if a writer's own count equals the row's,
its memory is current. Fences and withdrawals are stamped with the turn that changed them, so a returning
writer reads only those that changed.
"""

from __future__ import annotations

import re

from remit.adapters.store.postgres.session import SCHEMA, PostgresSession
from remit.adapters.store.relational.tables import MIGRATIONS
from remit.core.errors import ConfigInvalid, StoreUnavailable

#: Key of an advisory lock, in the database's own key space: `remit` in ASCII, and a number.
MIGRATING = 0x72656D697401

#: The oldest supported server version (the store uses `pg_xact_status` with 64-bit transaction ids).
OLDEST = 13

# One migration for each version, forward only. A released migration is never edited.
_OWN: tuple[str, ...] = (
    """
    -- One row, changed by every commit: free room on its page avoids a new index entry each time.
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
    """
    -- The processes that serve. `renewed` counts renewals; a replica that has left commits nothing.
    create table replicas (
        tenant text collate "C" not null, id text collate "C" not null, renewed bigint not null,
        gone bigint not null default 0, body text not null, primary key (tenant, id)
    );
    -- The replica that owns a task's live state; empty: no replica. The epoch rises with each takeover.
    create table owners (
        tenant text collate "C" not null, task text collate "C" not null, replica text collate "C" not null,
        epoch bigint not null, turn bigint not null default 0, primary key (tenant, task)
    );
    create index owners_by_replica on owners (tenant, replica);
    create index owners_by_turn on owners (tenant, turn);
    create table fence_acks (
        tenant text collate "C" not null, scope text collate "C" not null, epoch bigint not null,
        replica text collate "C" not null, body text not null, made timestamptz not null default now(),
        primary key (tenant, scope, epoch, replica)
    );
    -- Tables that other replicas cache are stamped too, so that they notice changes.
    alter table agents add column turn bigint not null default 0;
    create index agents_by_turn on agents (tenant, turn);
    alter table pins add column turn bigint not null default 0;
    create index pins_by_turn on pins (tenant, turn);
    alter table holdings add column turn bigint not null default 0;
    create index holdings_by_turn on holdings (tenant, upstream, turn);
    create trigger stamped before insert or update on holdings for each row execute function stamp();
    create trigger stamped before insert or update on owners for each row execute function stamp();
    create trigger stamped before insert or update on agents for each row execute function stamp();
    create trigger stamped before insert or update on pins for each row execute function stamp();
    -- A notification only triggers a query: any client of the database may send one.
    create function wake() returns trigger language plpgsql as $$
    begin
        perform pg_notify('remit', '');
        return null;
    end
    $$;
    create trigger waking after insert or update on fences for each statement execute function wake();
    create trigger waking after insert or update on withdrawn for each statement execute function wake();
    create trigger waking after insert or update on agents for each statement execute function wake();
    create trigger waking after insert or update on pins for each statement execute function wake();
    create trigger waking after insert or update on fence_acks for each statement execute function wake();
    """,
    """
    -- The notification names the table, so that replicas that wait for no acknowledgement skip the query.
    create or replace function wake() returns trigger language plpgsql as $$
    begin
        perform pg_notify('remit', tg_table_name);
        return null;
    end
    $$;
    """,
    """
    -- Another bundle in force is news: a rollback must not wait for the next look.
    create trigger waking after insert or update on kept_values for each row
        when (new.key = 'bundle.applied') execute function wake();
    """,
    """
    -- `news`: the last turn that changed what other writers judge from memory. Set by the trigger, so that it
    -- holds whatever version a writer has.
    alter table turns add column news bigint not null default 0;
    update turns set news = turn;
    create or replace function stamp() returns trigger language plpgsql as $$
    begin
        new.turn := coalesce((select turns.turn from turns where turns.tenant = new.tenant), 0) + 1;
        if tg_table_name in ('fences', 'withdrawn') then
            update turns set news = new.turn where turns.tenant = new.tenant and news < new.turn;
        end if;
        return new;
    end
    $$;
    """,
)

#: The channel of `wake`, and its payload for acknowledgements.
CHANNEL = "remit"
ACKS = b"fence_acks"

_VERSIONS = (
    'create table if not exists schema_version (part text collate "C", version bigint,'
    " primary key (part, version))"
)

_WORDS = (
    (r"\bstrict(, without rowid)?(?=;)", ""),
    (r"\binteger\b", "bigint"),
    (r"\bblob\b", "bytea"),
    # Sorted by bytes, as in every store: prefix searches on names work, and the order is the same everywhere.
    (r"\btext\b", 'text collate "C"'),
)


def _spoken(steps: str) -> str:
    """Translate a migration of the common tables to PostgreSQL."""
    steps = re.sub(r"--[^\n]*", "", steps)
    for ours, theirs in _WORDS:
        steps = re.sub(ours, theirs, steps)
    return steps


def raise_tables(session: PostgresSession, version: int) -> None:
    """Make the tables of every database in an empty schema, at a version of theirs."""
    session.run(_VERSIONS)
    for number, steps in enumerate(MIGRATIONS[:version], 1):
        session.run(_spoken(steps))
        session.execute("insert into schema_version values (?, ?)", ("tables", number))


def migrate(session: PostgresSession, place: str, schema: str = SCHEMA) -> None:
    """Bring the schema up to date in one transaction, one process at a time.

    Raises `ConfigInvalid` for a schema that is newer than this program, `StoreUnavailable` for a server that
    is too old or a database that cannot hold every text.
    """
    version = session.connection.info.server_version // 10_000
    if version < OLDEST:
        raise StoreUnavailable(
            f"`{place}` is PostgreSQL {version}", remediation=f"use PostgreSQL {OLDEST} or newer"
        )
    (encoding,) = session.execute("show server_encoding").fetchone()
    if encoding != "UTF8":
        raise StoreUnavailable(
            f"the database `{place}` stores text as {encoding}",
            remediation="create one with `encoding 'UTF8'`",
        )
    # A migration has no time limit.
    session.run("begin; set local statement_timeout = 0")
    try:
        session.execute("select pg_advisory_xact_lock(?)", (MIGRATING,))
        if session.execute("select to_regnamespace(?)::text", (schema,)).fetchone()[0] is None:
            session.run(f"create schema {schema}")
        session.run(_VERSIONS)
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
            f"`{place}` has version {found} of `{part}`, but this program supports {len(steps)}",
            key="store.url",
            remediation="use the remit that wrote it, or a newer one",
        )
    for version in range(found + 1, len(steps) + 1):
        session.run(steps[version - 1])
        session.execute("insert into schema_version values (?, ?)", (part, version))
