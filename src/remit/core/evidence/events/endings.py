# SPDX-License-Identifier: Apache-2.0
"""Events of ends: fences, locks and closures."""

from __future__ import annotations

from typing import Annotated

from remit.core.endings.closure import Cause
from remit.core.evidence.event import EventBody, EventKind
from remit.core.evidence.events.fields import By, Reason

_Scope = Annotated[str, "what is locked, as `kind:name`"]


class FenceRaised(EventBody, kw_only=True):
    """Everything under a scope was ended."""

    KIND = EventKind.FENCE_RAISED
    scope: _Scope
    reason: Reason
    cause: Annotated[Cause, "the reason, one of a closed set"]
    by: By


class FenceLocked(EventBody, kw_only=True):
    """Everything under a scope was ended, and it was shut; why, the event before says."""

    KIND = EventKind.FENCE_LOCKED
    scope: _Scope
    by: By


class FenceUnlocked(EventBody, kw_only=True):
    """New tasks may be opened under a scope again."""

    KIND = EventKind.FENCE_UNLOCKED
    scope: _Scope
    by: By


class ClosureMade(EventBody, kw_only=True):
    """The record of an end: what was withdrawn, how fast, and what is still open."""

    KIND = EventKind.CLOSURE_MADE
    closure: Annotated[str, "the closure's id"]
    scope: Annotated[str, "the target of the end"]
    cause: Annotated[Cause, "the reason, one of a closed set"]
    epoch: Annotated[int, "the epoch that fences it"]
    tasks: Annotated[int, "tasks that were open"]
    fence_us: Annotated[int, "microseconds until the fence was in place"]
    indeterminate: Annotated[list[str], "decisions whose calls have an unknown outcome"]
    closings: Annotated[
        list[list[str | int]],
        "kind, name, and microseconds until its first refusal; -1 while it is open. For an upstream "
        "credential also microseconds until its source revoked it, the number of attempts, and the lease",
    ]
    acknowledged: Annotated[
        list[list[str | int]],
        "id of each other replica, and microseconds until its fence was in place; -1 if it did not answer "
        "and its lease ran out",
    ] = []
    by: By
