# SPDX-License-Identifier: Apache-2.0
"""What the units of a batch touch, as far as the writer must know it before it checks them."""

from __future__ import annotations

from typing import Any

from remit.adapters.store.relational.changes import ForgetSubject
from remit.ports.store.changes import TakeBudget
from remit.ports.store.units import Unit


def tenant_of(unit: Unit) -> str:
    """Return a unit's tenant; empty if the unit names none, which refuses it later."""
    try:
        return unit.of_tenant
    except ValueError:
        return ""


def touched_by(unit: Unit) -> list[str]:
    """Return the tasks whose counters a unit checks."""
    tasks = [event.task for event in unit.events if event.task]
    for change in unit.changes:
        if type(change) is TakeBudget:
            tasks += change.bounds
    return tasks


def first_of(rows: list[Any]) -> tuple[int, bytes] | None:
    """Return index and leaf hash of a batch's first event, or `None` for a batch without events."""
    return (rows[1], bytes(rows[7])) if rows else None


def forgets(change: object) -> bool:
    """Return whether a change forgets a subject's key, which other writers may have in memory."""
    return isinstance(change, ForgetSubject)


def tasks_of(units: list[Unit], tenant: str) -> list[str]:
    """Return a tenant's tasks whose rows a batch reads."""
    mine = [unit for unit in units if tenant_of(unit) == tenant]
    named = dict.fromkeys(task for unit in mine for task in touched_by(unit))
    return [task for task in named if "\0" not in task]  # refused when the unit is checked
