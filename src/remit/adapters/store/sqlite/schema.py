# SPDX-License-Identifier: Apache-2.0
"""The tables, their migrations, and how a connection to them is opened.

INVARIANT: every key begins with the tenant. The one table without a tenant is `schema_version`, which speaks
of the file and not of anyone's data.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Literal

from remit.core.errors import ConfigInvalid, StoreUnavailable

Durability = Literal["durable", "buffered"]

#: Kinds that every call makes. They carry no index of their own: a scan meets them at once.
COMMON_KINDS = ("decision.made", "tool.called", "data.read", "action.executed")

_COMMON = ", ".join(f"'{kind}'" for kind in COMMON_KINDS)

#: What makes the partial index of rare kinds usable: sqlite takes it only if the query says the same.
RARE = f"kind not in ({_COMMON})"

# One migration a version, forward only. A released one is never edited.
MIGRATIONS: tuple[str, ...] = (
    f"""
    create table agents (
        tenant text not null, name text not null, body text not null, primary key (tenant, name)
    ) strict, without rowid;
    create table people (
        tenant text not null, name text not null, body text not null, primary key (tenant, name)
    ) strict, without rowid;

    -- `label` is the accumulated label: it only rises, so replacing the body never touches it.
    create table tasks (
        tenant text not null, id text not null, agent text not null, state text not null,
        opened integer not null, label text not null, body text not null, primary key (tenant, id)
    ) strict, without rowid;
    create index tasks_newest on tasks (tenant, opened);
    create index tasks_by_agent on tasks (tenant, agent, opened);
    create index tasks_by_state on tasks (tenant, state, opened);
    create table lineage (
        tenant text not null, ancestor text not null, task text not null, primary key (tenant, ancestor, task)
    ) strict, without rowid;

    create table fences (
        tenant text not null, scope text not null, epoch integer not null, locked integer not null,
        primary key (tenant, scope)
    ) strict, without rowid;
    create table approvals (
        tenant text not null, id text not null, task text not null, call text not null, state text not null,
        requested integer not null, body text not null, primary key (tenant, id)
    ) strict, without rowid;
    create index approvals_newest on approvals (tenant, requested);
    create index approvals_by_call on approvals (tenant, call, requested);
    create index approvals_by_task on approvals (tenant, task, requested);
    create index approvals_by_state on approvals (tenant, state, requested);
    create table closures (
        tenant text not null, id text not null, scope text not null, at integer not null, body text not null,
        primary key (tenant, id)
    ) strict, without rowid;
    create index closures_newest on closures (tenant, at);
    create index closures_by_scope on closures (tenant, scope, at);

    create table pins (
        tenant text not null, tool text not null, body text not null, primary key (tenant, tool)
    ) strict, without rowid;
    create table credentials (
        tenant text not null, digest text not null, expires integer not null, body text not null,
        primary key (tenant, digest)
    ) strict, without rowid;
    create index credentials_by_expiry on credentials (tenant, expires);
    create table assertions (
        tenant text not null, digest text not null, expires integer not null, primary key (tenant, digest)
    ) strict, without rowid;
    create index assertions_by_expiry on assertions (tenant, expires);
    create table kept_values (
        tenant text not null, key text not null, body text not null, primary key (tenant, key)
    ) strict, without rowid;

    -- The log. `task_before` is the index of the event of the same task before this one: following it
    -- back from `counters.last_event` reads a task's history without an index that every call would have
    -- to write. `open_from` is the low-water mark: no permitted decision before it lacks its outcome.
    -- With rowids, unlike the others: without, rows of a quarter page and more spill into overflow pages
    -- (measured: 1970 bytes a row against 940, and a fifth fewer calls a second).
    create table events (
        tenant text not null, idx integer not null, kind text not null, task text not null,
        task_before integer, open_from integer not null, leaf blob not null, leaf_hash blob not null,
        subject_key integer, sealed blob, primary key (tenant, idx)
    ) strict;
    create index events_of_rare_kinds on events (tenant, kind, idx) where {RARE};

    -- What a task used up, and where its chain of events stands. One row a task and batch carries both.
    create table counters (
        tenant text not null, task text not null, calls integer not null, effectful_calls integer not null,
        result_bytes integer not null, last_event integer, primary key (tenant, task)
    ) strict, without rowid;

    -- Nodes of levels 8, 16, ... (C2SP tlog-tiles); those of level 0 are the leaf hashes in `events`.
    create table nodes (
        tenant text not null, level integer not null, idx integer not null, hash blob not null,
        primary key (tenant, level, idx)
    ) strict, without rowid;

    -- Keys of subjects, wrapped. `id` is random and never used again, so a forgotten one means nobody.
    create table subject_keys (
        tenant text not null, id integer not null, subject text not null, wrapped blob not null,
        primary key (tenant, id)
    ) strict, without rowid;
    create unique index subject_keys_by_subject on subject_keys (tenant, subject);
    """,
    """
    -- By what workload an agent is proven: read at each proof, and held against others at registration.
    create table bindings (
        tenant text not null, workload text not null, agent text not null,
        primary key (tenant, workload, agent)
    ) strict, without rowid;
    create index bindings_by_agent on bindings (tenant, agent);
    create table last_proofs (
        tenant text not null, agent text not null, body text not null, primary key (tenant, agent)
    ) strict, without rowid;
    create table delegations (
        tenant text not null, id text not null, person text not null, agent text not null,
        made integer not null, body text not null, primary key (tenant, id)
    ) strict, without rowid;
    create index delegations_by_person on delegations (tenant, person, made);
    create index delegations_by_agent on delegations (tenant, agent, made);
    create table findings (
        tenant text not null, id text not null, about text not null, state text not null,
        seen integer not null, body text not null, primary key (tenant, id)
    ) strict, without rowid;
    create index findings_by_about on findings (tenant, about, seen);
    create index findings_by_state on findings (tenant, state, seen);
    """,
    """
    create table tickets (
        tenant text not null, digest text not null, expires integer not null, body text not null,
        primary key (tenant, digest)
    ) strict, without rowid;
    create index tickets_by_expiry on tickets (tenant, expires);
    create table passkeys (
        tenant text not null, id text not null, person text not null, body text not null,
        primary key (tenant, id)
    ) strict, without rowid;
    create index passkeys_by_person on passkeys (tenant, person);
    create table links (
        tenant text not null, issuer text not null, subject text not null, person text not null,
        body text not null, primary key (tenant, issuer, subject)
    ) strict, without rowid;
    create unique index links_by_person on links (tenant, issuer, person);
    """,
    # Which sealing key wraps a subject's; empty: the only one there was.
    "alter table subject_keys add column wrapped_by text not null default '';",
    """
    create table token_families (
        tenant text not null, id text not null, expires integer not null, body text not null,
        primary key (tenant, id)
    ) strict, without rowid;
    create index token_families_by_expiry on token_families (tenant, expires);
    create table refresh_tokens (
        tenant text not null, digest text not null, family text not null, made integer not null,
        expires integer not null, used integer, primary key (tenant, digest)
    ) strict, without rowid;
    create index refresh_tokens_by_expiry on refresh_tokens (tenant, expires);
    -- Access tokens and families that were taken back, until nothing of them can be valid any more.
    create table withdrawn (
        tenant text not null, id text not null, expires integer not null, primary key (tenant, id)
    ) strict, without rowid;
    create index withdrawn_by_expiry on withdrawn (tenant, expires);
    """,
    """
    -- Labels at rest, by resource of an upstream; the empty resource is the upstream as a whole.
    create table holdings (
        tenant text not null, upstream text not null, resource text not null, changed integer not null,
        body text not null, primary key (tenant, upstream, resource)
    ) strict, without rowid;
    """,
)

VERSION = len(MIGRATIONS)


def open_writer(path: Path, durability: Durability) -> sqlite3.Connection:
    """Open the connection that writes, bring the schema up to date, and give the connection.

    Raises `ConfigInvalid` for a file that is no store of ours or is newer than this program,
    `StoreUnavailable` if it cannot be opened or written.
    """
    try:
        # Its owner alone reads it, whatever the folder and the mask let others do; the log beside it follows.
        with contextlib.suppress(OSError):  # sqlite says what is wrong
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        # Statements run on the event loop's thread and COMMIT on the writer's, never at once.
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=5.0
        )
        if connection.execute("pragma journal_mode=wal").fetchone()[0] != "wal":
            raise StoreUnavailable(f"`{path}` cannot use a write-ahead log", way_out="use a local disk")
        connection.execute(f"pragma synchronous={'full' if durability == 'durable' else 'normal'}")
        # What is deleted is a forgotten key or a used credential: it is overwritten, not merely unlinked.
        connection.execute("pragma secure_delete=on")
        # In KiB. Most of it would hold pages that were appended once; more of it made nothing faster.
        connection.execute("pragma cache_size=-4096")
        connection.execute("pragma temp_store=memory")
        # The background does this (`Writer`); here it is only the net below it.
        connection.execute("pragma wal_autocheckpoint=20000")
        migrate(connection, path)
    except sqlite3.DatabaseError as fault:
        if "not a database" in str(fault):
            raise ConfigInvalid(
                "is not a store of remit", file=str(path), way_out="name another file"
            ) from None
        raise unavailable(fault, f"store `{path}` cannot be opened") from fault
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a connection that only reads."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.execute("pragma query_only=on")
    connection.execute("pragma cache_size=-2048")
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema to `VERSION`, one transaction a version; a newer schema raises `ConfigInvalid`."""
    connection.execute("create table if not exists schema_version (version integer not null) strict")
    found = connection.execute("select max(version) from schema_version").fetchone()[0] or 0
    if found > VERSION:
        raise ConfigInvalid(
            f"has schema version {found}, and this program knows {VERSION}",
            file=str(path),
            way_out="use the remit that wrote it, or a newer one",
        )
    for version in range(found + 1, VERSION + 1):
        mark = f"insert into schema_version values ({version})"  # noqa: S608 - a number of ours
        connection.executescript(f"begin immediate; {MIGRATIONS[version - 1]} {mark}; commit;")


def unavailable(fault: Exception, message: str = "the store cannot commit") -> StoreUnavailable:
    """Give the fault that callers see for one of the database, with the way out where it is known."""
    name = getattr(fault, "sqlite_errorname", "")
    way_out = {
        "SQLITE_FULL": "free space on the disk, then try again",
        "SQLITE_BUSY": "stop whatever else has the file open",
        "SQLITE_READONLY": "make the file and its folder writable",
        "SQLITE_CANTOPEN": "create its folder and make it writable",
    }.get(name, "look at the disk and the log of the system")
    return StoreUnavailable(message, way_out=way_out, debug=f"{name} {fault}".strip())
