# SPDX-License-Identifier: Apache-2.0
"""Rows that decisions rest on: read, and each compared with what the log says at every read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import msgspec

from remit.adapters.store.relational.pool import ReadPool
from remit.adapters.store.relational.reads import opened_tasks
from remit.adapters.store.relational.sealed_values import TABLES, Opened
from remit.adapters.store.relational.sql import Sql
from remit.adapters.store.relational.state.record import StateRecord
from remit.adapters.store.relational.state.rows import Place, ReadRow, rows_after, rows_of, rows_where
from remit.adapters.store.relational.subject_keys import SealOpener
from remit.core.decisions.approval import Approval
from remit.core.errors import StoreUnavailable
from remit.core.evidence.events.state_rows import BrokenRow, StateChanged
from remit.core.identity.principals import Agent, Person
from remit.core.identity.workload import workload_of
from remit.core.tasks.delegation_record import Delegation
from remit.core.tasks.task import Task
from remit.ports.store.changes import Credential
from remit.ports.store.log import StatePage

_credential = msgspec.json.Decoder(Credential).decode
_person = msgspec.json.Decoder(Person).decode

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", Approval, Delegation)

Read = Callable[Concatenate[Sql, bytes | None, str, P], list[tuple[ReadRow, T]]]
"""Reads rows of a tenant by its key, which is `None` while not all rows are recorded."""

#: Rows of a table that are read at a time.
_ROWS: Final = 500

#: Reads of rows that others keep changing, before the caller is told to try again.
MOST: Final = 20


def bodies(
    sql: Sql, secret: bytes | None, tenant: str, table: str, kind: type[T], wanted: str, *values: object
) -> list[tuple[ReadRow, T]]:
    """Return the rows that a condition selects, with their JSON bodies as values."""
    rows = rows_where(sql, secret, tenant, table, wanted, *values)
    return [(one, msgspec.json.decode(one.value("body"), type=kind)) for one in rows]


def task(
    sql: Sql, secret: bytes | None, tenant: str, opener: SealOpener, id: str
) -> list[tuple[ReadRow, Task]]:
    """Return a task with its accumulated label."""
    rows = rows_where(sql, secret, tenant, "tasks", "id = ?", id)
    parts = [(one.value("body"), one.value("label"), one.value("sealed")) for one in rows]
    return list(zip(rows, opened_tasks(parts, Opened(sql, opener)), strict=True))


def said(
    sql: Sql, secret: bytes | None, tenant: str, opener: SealOpener, kind: type[R], id: str
) -> list[tuple[ReadRow, R]]:
    """Return an approval or a delegation."""
    opened = Opened(sql, opener)
    return [
        (one, opened.whole(msgspec.json.decode(one.value("body"), type=kind), one.value("sealed")))
        for one in rows_where(sql, secret, tenant, TABLES[kind], "id = ?", id)
    ]


def agents_bound(sql: Sql, secret: bytes | None, tenant: str, workload: str) -> list[tuple[ReadRow, Agent]]:
    """Return the agents with a binding to a workload, sorted by name: the table of bindings only finds
    them.
    """
    wanted = "name in (select agent from bindings where tenant = ? and workload = ?) order by name"
    return [
        (row, agent)
        for row, agent in bodies(sql, secret, tenant, "agents", Agent, wanted, tenant, workload)
        if any(workload_of(binding) == workload for binding in agent.bindings)
    ]


def signed_in(
    sql: Sql, secret: bytes | None, tenant: str, digest: str
) -> list[tuple[ReadRow, Credential | Person]]:
    """Return a credential, and then its person."""
    whose = "name = (select person from credentials where tenant = ? and digest = ?)"
    wanted = (("credentials", "digest = ?", (digest,)), ("people", whose, (tenant, digest)))
    return [
        (one, _credential(one.value("body")) if one.place[0] == "credentials" else _person(one.value("body")))
        for one in rows_of(sql, secret, tenant, *wanted)
    ]


def both(found: list[Credential | Person]) -> tuple[Credential, Person] | None:
    """Return what `signed_in` found, if it is whole."""
    match found:
        case [Credential() as credential, Person() as person]:
            return credential, person
    return None


def page(
    sql: Sql, secret: bytes | None, tenant: str, table: str, after: tuple[str, ...], limit: int
) -> list[tuple[ReadRow, None]]:
    """Return the next rows of a table by key."""
    return [(one, None) for one in rows_after(sql, secret, tenant, table, after, limit)]


class CheckedRows:
    """Reads rows, and knows those that are not as the log says."""

    def __init__(
        self, pool: ReadPool[Any], record: StateRecord, caught_up: Callable[[str], Awaitable[object]]
    ) -> None:
        """Take the record; `caught_up` returns once it has all that was committed before."""
        self._pool = pool
        self._record = record
        self._caught_up = caught_up

    async def one(self, tenant: str, read: Read[P, T], *args: P.args, **named: P.kwargs) -> T | None:
        """Return the value of a row; raise `StateChanged` if it is not as the log says."""
        found = await self.every(tenant, read, *args, **named)
        return found[0] if found else None

    async def every(self, tenant: str, read: Read[P, T], *args: P.args, **named: P.kwargs) -> list[T]:
        """Return the values of rows; raise `StateChanged` if one is not as the log says."""
        sound, broken = await self._compared(tenant, read, *args, **named)
        if broken:
            raise StateChanged(broken[0].place[0])
        return [value for _, value in sound]

    async def sound(self, tenant: str, read: Read[P, T], *args: P.args, **named: P.kwargs) -> list[T]:
        """Return the values of the rows that are as the log says; leave out the others."""
        return [value for _, value in (await self._compared(tenant, read, *args, **named))[0]]

    async def whole(
        self, tenant: str, table: str, read: Read[P, T], *args: P.args, **named: P.kwargs
    ) -> list[T]:
        """Return the values of all rows of a table; raise `StateChanged` if one is gone or changed."""
        lost: set[bytes] | None = None
        while True:
            sound, broken = await self._compared(tenant, read, *args, **named)
            gone = self._record.names(tenant, table).keys() - {one.name for one, _ in sound}
            if broken or (gone and gone == lost):
                raise StateChanged(table)
            if not gone:
                return [value for _, value in sound]
            lost = gone
            await self._caught_up(tenant)

    async def page(self, tenant: str, table: str, after: tuple[str, ...], limit: int) -> StatePage:
        """Return the next rows of a table by name, and those that are not as the log says."""
        sound, broken = await self._compared(tenant, page, table, after, limit)
        rows = sorted([one for one, _ in sound] + broken, key=lambda one: one.place[1])
        return StatePage(
            names=frozenset(one.name for one in rows),
            last=rows[-1].place[1] if len(rows) == limit else (),
        )

    async def gone(self, tenant: str, table: str, names: dict[bytes, bytes]) -> list[BrokenRow]:
        """Return which of these rows, not met in a pass over the whole table, remit has not deleted.

        The log may have said such a row before its commit, and the pass may have read the table before it. So
        the table is read once more.
        """
        if not names:
            return []
        await self._caught_up(tenant)
        left = dict(names)
        after: tuple[str, ...] = ()
        while left:
            rows = await self._pool.run(page, self._record.secret(tenant), tenant, table, after, _ROWS)
            for one, _ in rows:
                left.pop(one.name, None)
            if len(rows) < _ROWS:
                break
            after = rows[-1][0].place[1]
        now = self._record.names(tenant, table)
        return [
            BrokenRow(table, name.hex(), "deleted from the database")
            for name, digest in left.items()
            if now.get(name) == digest
        ]

    def take_broken(self, tenant: str) -> list[BrokenRow]:
        """Return the rows that were met since the last time, and were not as the log says."""
        found = []
        for of, place in list(self._record.broken):
            if of == tenant:
                del self._record.broken[of, place]
                why = "changed, added or restored in the database"
                found.append(BrokenRow(place[0], " ".join(place[1]), why))
        return found

    async def _compared(
        self, tenant: str, read: Read[P, T], *args: P.args, **named: P.kwargs
    ) -> tuple[list[tuple[ReadRow, T]], list[ReadRow]]:
        """Return the rows that are as the log says, and the others.

        What is read and what is known of the log are not of one moment. So a row that differs is read again
        once this process knows all that was committed before: it is broken if neither has moved since.
        """
        differing: dict[Place, tuple[bytes, bytes]] = {}
        for _attempt in range(MOST):
            rows = await self._pool.run(read, self._record.secret(tenant), tenant, *args, **named)
            before = differing
            differing = {
                one.place: (one.digest, self._record.digest(tenant, one.place[0], one.name))
                for one, _value in rows
                if not self._record.agrees(tenant, one)
            }
            if differing.items() <= before.items():
                for place in differing:
                    self._record.broken[tenant, place] = None
                return (
                    [(one, value) for one, value in rows if one.place not in differing],
                    [one for one, _value in rows if one.place in differing],
                )
            await self._caught_up(tenant)
        raise StoreUnavailable("the rows keep changing", remediation="call again")
