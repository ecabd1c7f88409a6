# SPDX-License-Identifier: Apache-2.0
"""Which rows of state a change may change, or decides by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import msgspec

from remit.adapters.store.relational.sql import Sql
from remit.adapters.store.relational.state.rows import ANSWERED, Place
from remit.adapters.store.relational.timestamps import micros
from remit.core.endings.suspension import suspended_task
from remit.ports.store.changes import (
    DropLink,
    DropPasskey,
    EndCredentials,
    JoinLabels,
    PutAgent,
    PutApproval,
    PutCredential,
    PutDelegation,
    PutLink,
    PutPasskey,
    PutPerson,
    PutPin,
    PutTask,
    RaiseFence,
    RaiseLabel,
    TakeCredential,
    UseAgent,
    UseApproval,
    UseCredential,
    UseDelegation,
    UsePasskey,
    UsePerson,
)

#: A session or a code is kept this long past its expiry.
CREDENTIAL_GRACE: Final = timedelta(hours=1)

_PLACES: Final[dict[type, Callable[[Any], list[Place]]]] = {
    PutAgent: lambda one: [("agents", (one.agent.name,))],
    UseAgent: lambda one: [("agents", (one.name,))],
    PutPerson: lambda one: [("people", (one.person.name,))],
    UsePerson: lambda one: [("people", (one.name,))],
    PutTask: lambda one: [("tasks", (one.task.id,))],
    RaiseLabel: lambda one: [("tasks", (one.task,))],
    JoinLabels: lambda one: [("tasks", (task,)) for task in one.tasks],
    PutApproval: lambda one: [("approvals", (one.approval.id,))],
    UseApproval: lambda one: [("approvals", (one.id,))],
    PutPin: lambda one: [("pins", (one.pin.tool,))],
    TakeCredential: lambda one: [("credentials", (one.digest,))],
    UseCredential: lambda one: [("credentials", (one.digest,))],
    PutDelegation: lambda one: [("delegations", (one.delegation.id,))],
    UseDelegation: lambda one: [("delegations", (one.id,))],
    PutPasskey: lambda one: [("passkeys", (one.passkey.id,))],
    UsePasskey: lambda one: [("passkeys", (one.id,))],
    DropPasskey: lambda one: [("passkeys", (one.id,))],
    PutLink: lambda one: [("links", (one.link.issuer, one.link.subject))],
    DropLink: lambda one: [("links", (one.issuer, one.subject))],
    RaiseFence: lambda one: [("fences", (one.scope,))],
}


def _expired(sql: Sql, change: PutCredential) -> list[Place]:
    one = change.credential
    query = "select digest from credentials where tenant = ? and expires < ?"
    old = sql.execute(query, (one.tenant, micros(one.created - CREDENTIAL_GRACE))).fetchall()
    return [("credentials", (digest,)) for (digest,) in [*old, (one.digest,)]]


def _of_person(sql: Sql, change: EndCredentials) -> list[Place]:
    query = "select digest from credentials where tenant = ? and person = ?"
    found = sql.execute(query, (change.tenant, change.person)).fetchall()
    return [("credentials", (digest,)) for (digest,) in found]


#: The same for changes whose rows must be looked up.
_SOUGHT: Final[dict[type, Callable[[Sql, Any], list[Place]]]] = {
    PutCredential: _expired,
    EndCredentials: _of_person,
}

#: Changes that decide by a row, and are refused where it is not as the log says; and whether they change it.
DECISIONS: Final[dict[type, bool]] = {
    UseAgent: True,
    UsePerson: False,
    UseApproval: True,
    UseCredential: False,
    UseDelegation: False,
    UsePasskey: True,
    TakeCredential: True,
}


class AdoptRows(msgspec.Struct):
    """Record the next rows of a table as they are. Only the store itself makes this change.

    `vouched`: rows that are recorded already, too, because an administrator says that they are right.
    `reached` is the key of the last one; empty at the end of the table.
    """

    table: str
    after: tuple[str, ...]
    limit: int
    vouched: bool
    reached: tuple[str, ...] = ()


def places_of(sql: Sql, change: object) -> list[Place]:
    """Return the rows that a change may change or decides by."""
    if of := _PLACES.get(type(change)):
        return of(change)
    sought = _SOUGHT.get(type(change))
    return sought(sql, change) if sought else []


def inserts(change: object) -> bool:
    """Return whether a change is refused where its row exists, so that nothing is left of an older row."""
    if isinstance(change, PutTask | PutApproval):
        return change.expected is None
    if isinstance(change, PutAgent | PutPerson | PutDelegation):
        return change.expect_new
    return isinstance(change, PutPasskey)


def ends(change: object) -> bool:
    """Return whether a change leaves its row such that it permits nothing any longer."""
    if isinstance(change, PutTask):
        return change.task.state.ended
    return isinstance(change, PutApproval) and change.approval.state in ANSWERED


def only_ends(change: RaiseFence) -> bool:
    """Return whether a fence only ends a task, which the task's own row says, too."""
    return change.locked is None and bool(suspended_task(change.scope))
