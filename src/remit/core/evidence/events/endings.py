# SPDX-License-Identifier: Apache-2.0
"""Events of ends: fences, locks and closures."""

from __future__ import annotations

from typing import Annotated

from remit.core.endings.closure import Cause
from remit.core.evidence.event import EventBody, EventKind
from remit.core.evidence.events.fields import By, Reason

_Scope = Annotated[str, "what it stands before, as `kind:name`"]


class FenceRaised(EventBody, kw_only=True):
    """Everything under a scope was ended."""

    KIND = EventKind.FENCE_RAISED
    scope: _Scope
    reason: Reason
    cause: Annotated[Cause, "what ended it, one of a closed set"]
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
    closure: Annotated[str, "its id"]
    scope: Annotated[str, "what was ended"]
    cause: Annotated[Cause, "what ended it, one of a closed set"]
    epoch: Annotated[int, "the epoch that fences it"]
    tasks: Annotated[int, "tasks that were open"]
    fence_us: Annotated[int, "microseconds until the fence stood"]
    indeterminate: Annotated[list[str], "decisions whose calls may or may not have taken effect"]
    closings: Annotated[
        list[list[str | int]],
        "kind, name, and microseconds until it was refused first; -1 while it is open. Of an upstream's "
        "credential also microseconds until its source had taken it back, how often it was tried, and the "
        "lease",
    ]
    acknowledged: Annotated[
        list[list[str | int]],
        "of each other replica its id, and after how many microseconds its fence stood; -1 where it did not "
        "answer and its lease was waited out",
    ] = []
    by: By
