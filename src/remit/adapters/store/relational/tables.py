# SPDX-License-Identifier: Apache-2.0
"""The tables and their migrations, shared by all databases.

They are written as SQLite's strict tables, whose few types (`text`, `integer`, `blob`) exist in every
database.

INVARIANT: every key begins with the tenant. The one table without a tenant is `schema_version`, which
describes the schema and contains no one's data.
"""

from __future__ import annotations

from typing import Literal

Durability = Literal["durable", "buffered"]

#: Kinds that every call records. They have no separate index, because a scan finds them at once.
COMMON_KINDS = ("decision.made", "tool.called", "data.read", "action.executed")

_COMMON = ", ".join(f"'{kind}'" for kind in COMMON_KINDS)

#: Condition of the partial index of rare kinds: SQLite uses the index only if the query repeats it.
RARE = f"kind not in ({_COMMON})"

#: Kinds of findings before there were columns for them, by severity.
_KINDS_BEFORE = (
    ("critical", "sink-open credential-leaked log-changed"),
    ("high", "manifest-drift ownerless shared-key shared-token two-programs secret-stuck broken-glass"),
    ("medium", "sign-in-code last-administrator standing-secret old-secret signals-silent review-due"),
)
_KINDS_FILLED = "".join(
    f"update findings set kind = '{kind}', severity = '{severity}'"  # noqa: S608 - words of ours
    f""" where body like '%"kind":"{kind}","about":%';\n"""
    for severity, kinds in _KINDS_BEFORE
    for kind in kinds.split()
)

# One migration for each version, forward only. A released migration is never edited.
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

    -- A task's used budget, and the last event of its chain. One row per task and batch has both.
    create table counters (
        tenant text not null, task text not null, calls integer not null, effectful_calls integer not null,
        result_bytes integer not null, last_event integer, primary key (tenant, task)
    ) strict, without rowid;

    -- Nodes of levels 8, 16, ... (C2SP tlog-tiles); those of level 0 are the leaf hashes in `events`.
    create table nodes (
        tenant text not null, level integer not null, idx integer not null, hash blob not null,
        primary key (tenant, level, idx)
    ) strict, without rowid;

    -- Keys of subjects, wrapped. `id` is random and never reused: a forgotten key identifies no person.
    create table subject_keys (
        tenant text not null, id integer not null, subject text not null, wrapped blob not null,
        primary key (tenant, id)
    ) strict, without rowid;
    create unique index subject_keys_by_subject on subject_keys (tenant, subject);
    """,
    """
    -- The workloads that prove an agent: read at each proof, and checked for duplicates at registration.
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
    # The sealing key that wraps a subject's key; empty means the single key of older stores.
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
    -- Revoked access tokens and families, until all their tokens have expired.
    create table withdrawn (
        tenant text not null, id text not null, expires integer not null, primary key (tenant, id)
    ) strict, without rowid;
    create index withdrawn_by_expiry on withdrawn (tenant, expires);
    """,
    """
    -- Stored labels, by resource of an upstream; the empty resource is the whole upstream.
    create table holdings (
        tenant text not null, upstream text not null, resource text not null, changed integer not null,
        body text not null, primary key (tenant, upstream, resource)
    ) strict, without rowid;
    """,
    """
    -- Search columns of tasks and credentials: the person, a task's deadline (in
    -- seconds since 1970), and whether the task ends without use.
    alter table tasks add column person text not null default '';
    alter table tasks add column deadline integer not null default 0;
    alter table tasks add column watched integer not null default 0;
    create index tasks_by_person on tasks (tenant, person, opened);
    alter table credentials add column person text not null default '';
    create index credentials_by_person on credentials (tenant, person);
    """,
    # Findings about approver codes become findings about sign-in codes.
    """
    update findings set body = replace(body, '"kind":"approver-code"', '"kind":"sign-in-code"')
        where body like '%"kind":"approver-code"%';
    """,
    # The texts of people, sealed; the body contains the rest. A start seals the rows of older versions.
    """
    alter table tasks add column sealed blob;
    alter table approvals add column sealed blob;
    alter table delegations add column sealed blob;
    """,
    # Lets each start find those rows without reading the others.
    """
    create index tasks_in_plain on tasks (tenant) where sealed is null;
    create index approvals_in_plain on approvals (tenant) where sealed is null;
    create index delegations_in_plain on delegations (tenant) where sealed is null;
    """,
    # What counters keep of the calls of a family of tasks, until its root task ends (`core.tasks.history`).
    """
    create table history (
        tenant text not null, family text not null, task text not null, counter text not null,
        same text not null, part text not null, amount integer not null, at integer not null,
        primary key (tenant, family, task, counter, same, part)
    ) strict, without rowid;
    """,
    # The classes and categories of data that the events of a block of indexes name (`data_blocks`), so that a
    # search skips the others. The empty mark: its events were looked at from the first one on.
    """
    create table data_blocks (
        tenant text not null, mark text not null, block integer not null, primary key (tenant, mark, block)
    ) strict, without rowid;
    """,
    # What findings are filtered by. Rows of older versions get it from their kind.
    """
    alter table findings add column kind text not null default '';
    alter table findings add column severity text not null default 'medium';
    alter table findings add column owner text not null default '';
    create index findings_by_kind on findings (tenant, kind, seen);
    """
    + _KINDS_FILLED,
    # The leaf hashes of pruned events, and where the chain of their task goes on.
    """
    create table pruned_leaves (
        tenant text not null, idx integer not null, leaf_hash blob not null, task_before integer,
        primary key (tenant, idx)
    ) strict, without rowid;
    """,
    # The events that say rows of state: a start finds them without reading the others. `said` is what one
    # says of rows; a prune fills it.
    """
    create table state_events (
        tenant text not null, idx integer not null, said text, primary key (tenant, idx)
    ) strict, without rowid;
    """,
)

VERSION = len(MIGRATIONS)
