# SPDX-License-Identifier: Apache-2.0
"""Closures as the evidence has them, and what else ending is made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from remit.core.endings.closure import Closing, Closure
from remit.core.evidence.event import Event
from remit.core.evidence.events.endings import ClosureMade
from remit.core.scope import ScopeKind

#: Tasks ended in one unit at the most; more are ended in further units, behind the same fence.
BATCH = 500

T = TypeVar("T")


def batches(some: list[T], size: int = 0) -> list[list[T]]:
    """Return things in parts of `size` at the most, `BATCH` unless given."""
    size = size or BATCH
    return [some[start : start + size] for start in range(0, len(some), size)]


def upstream_of(target: str) -> str:
    """Return the upstream that a scope is, empty for another one: its credentials serve no task any more."""
    kind, _, name = target.partition(":")
    return name if kind == ScopeKind.UPSTREAM else ""


def once(closings: Iterable[Closing]) -> tuple[Closing, ...]:
    """Return each lease once, as it was told of last."""
    found = {one.lease or number: one for number, one in enumerate(closings)}
    return tuple(found.values())


def closure_event(closure: Closure, tenant: str) -> Event:
    """Return the event that tells of a closure."""
    made = ClosureMade(
        closure=closure.id,
        scope=closure.scope,
        cause=closure.cause,
        epoch=closure.epoch,
        tasks=len(closure.tasks),
        fence_us=round(closure.fence_ms * 1000),
        indeterminate=[one.decision for one in closure.indeterminate],
        closings=[_told(one) for one in closure.closings],
        acknowledged=[[one.replica, _us(one.after_ms)] for one in closure.acknowledged],
        by=closure.ended_by,
    )
    task = closure.tasks[0] if len(closure.tasks) == 1 else ""
    return Event.of(made, at=closure.at, tenant=tenant, task=task, subject=closure.ended_by)


def _told(closing: Closing) -> list[str | int]:
    told: list[str | int] = [closing.kind, closing.name, _us(closing.refused_after_ms)]
    return (
        told if not closing.lease else [*told, _us(closing.revoked_after_ms), closing.attempts, closing.lease]
    )


def _us(ms: float | None) -> int:
    return -1 if ms is None else round(ms * 1000)
