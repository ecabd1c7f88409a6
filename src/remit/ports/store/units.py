# SPDX-License-Identifier: Apache-2.0
"""Units: what becomes true at once, or not at all, and the store that commits them.

A `Unit` holds checks, changes, and the events that tell of them. The store commits a unit whole or not at
all. Many units may share one transaction of the database (group commit); each of them stands or falls alone.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

import msgspec

from remit.core.evidence.event import Event
from remit.core.json_value import Json
from remit.ports.store.changes import Change


class Unit(msgspec.Struct, frozen=True):
    """The changes of one tenant that are committed together.

    They apply in order; a check sees the changes before it. `tenant` is needed only where neither an event
    nor a change names it. A task replaced by `PutTask` keeps its accumulated label, which `RaiseLabel` alone
    changes.
    """

    changes: tuple[Change, ...] = ()
    events: tuple[Event, ...] = ()
    tenant: str = ""

    @property
    def of_tenant(self) -> str:
        """Return the tenant whose state the unit changes; raises `ValueError` if nothing names it."""
        if self.tenant:
            return self.tenant
        if self.events:
            return self.events[0].tenant
        for change in self.changes:
            for held in (change, *(getattr(change, name) for name in change.__struct_fields__)):
                if tenant := getattr(held, "tenant", ""):
                    return str(tenant)
        raise ValueError("a unit without events and with checks alone must name its tenant")


class Receipt(msgspec.Struct, frozen=True):
    """The result of a committed unit: the log index of each event, and each raised scope's new epoch."""

    indexes: tuple[int, ...] = ()
    epochs: dict[str, int] = {}


class UnitStore(Protocol):
    """What every room of the store has: units are committed, and small values are kept by key.

    Each room (the Protocols beside this one) keeps to this, for all tenants.

    Durability: when `commit` returns, the unit is as durable as the store was configured to be (`durable`: it
    survives the loss of power; `buffered`: it survives the death of the process). Concurrency: any number of
    tasks of one event loop may call at once; units are applied one after another in the order of the calls.
    Errors: the faults named by each check and change; `StoreUnavailable` when nothing can be committed, after
    which nothing of the unit is there. Reads see everything committed before they were called.
    """

    @property
    def writer(self) -> str:
        """The incarnation that writes: a random id, new at each start."""

    @property
    def failing(self) -> str:
        """The error code of the last unit with events, if that was not committed; empty where it was."""

    async def commit(self, unit: Unit, *, at_once: bool = False) -> Receipt:
        """Commit a unit whole or not at all, also if its caller is cancelled meanwhile.

        `at_once`: no other caller is known to commit in this turn of the loop. All it may spare is the wait
        for them.
        """

    def submit(self, unit: Unit) -> Awaitable[Receipt]:
        """Begin to commit a unit without waiting for it; order among calls is kept.

        A store may hold the unit back for some milliseconds, so that it shares the next awaited commit. If
        the unit is refused and no code reads the future, the event loop reports it.
        """

    async def value(self, tenant: str, key: str) -> Json:
        """Return a small JSON value, or `None`."""

    async def values(self, tenant: str, prefix: str) -> list[Json]:
        """Return the small JSON values whose keys begin with `prefix`, by key."""
