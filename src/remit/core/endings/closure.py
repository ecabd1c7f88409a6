# SPDX-License-Identifier: Apache-2.0
"""Ends: what ends something, what is locked, and the record of what an end meant (the closure)."""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec

from remit.core.replicas.replica import Acknowledgement
from remit.core.tasks.task import TaskState


class Cause(enum.StrEnum):
    """What ended something: the closed set of ways in which authority is taken away. `asked`: somebody did so
    by hand, for the reason that they gave.
    """

    ASKED = "asked"
    COMPLETED = "completed"
    DEADLINE = "deadline"
    LEASE = "lease"
    IDLE = "idle"
    BUDGET = "budget"
    AGENT_STATE = "agent-state"
    BINDING = "binding"
    OWNER_LEFT = "owner-left"
    PERSON_LEFT = "person-left"
    DELEGATION = "delegation"
    POSTURE = "posture"
    POLICY = "policy"
    UPSTREAM_COMPROMISED = "upstream-compromised"
    SIGNAL = "signal"


_UNHURRIED = frozenset({Cause.COMPLETED, Cause.DEADLINE, Cause.LEASE, Cause.IDLE, Cause.BUDGET, Cause.POLICY})


class Fence(msgspec.Struct, frozen=True):
    """The state of one scope."""

    scope: str
    epoch: int = 0
    locked: bool = False


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """Why a scope is shut, since when and by whom; `cause` tells a lock by hand from one of remit's own."""

    scope: str
    by: str = ""
    at: datetime | None = None
    reason: str = ""
    cause: Cause = Cause.ASKED

    @property
    def name(self) -> str:
        """What is locked, without its kind."""
        return self.scope.partition(":")[2]


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How something ends: why, by whom, and what becomes of its tasks. `lock` keeps it shut."""

    reason: str
    by: str
    cause: Cause = Cause.ASKED
    state: TaskState = TaskState.REVOKED
    lock: bool = False

    @property
    def hurried(self) -> bool:
        """Whether calls wait for it: what has run out, or is done, permits nothing more by itself."""
        return self.cause not in _UNHURRIED


class Indeterminate(msgspec.Struct, frozen=True):
    """A call that was permitted before the fence and whose outcome is not known."""

    decision: str
    tool: str
    effect: str


class Closing(msgspec.Struct, frozen=True):
    """One derived permission and when it was first refused.

    Of an upstream's credential, `name` is the sink, `refused_after_ms` when a probe with the dead credential
    was first refused there, `revoked_after_ms` when its source had taken it back, `attempts` the number of
    times that it was tried, and `lease` its id. `by_hand`: no probe has shown that it is dead, and somebody
    has closed it; `detail` says who, and why.
    """

    kind: str
    name: str
    refused_after_ms: float | None
    detail: str = ""
    revoked_after_ms: float | None = None
    attempts: int = 0
    lease: str = ""
    by_hand: bool = False

    @property
    def open(self) -> bool:
        """Whether it may still be of use to somebody, as far as anybody has said."""
        return self.refused_after_ms is None and not self.by_hand


class Closure(msgspec.Struct, frozen=True, kw_only=True):
    """The record of an end: every derived permission, what is indeterminate, what is still open."""

    id: str
    scope: str
    epoch: int
    reason: str
    cause: Cause = Cause.ASKED
    ended_by: str
    at: datetime
    tasks: tuple[str, ...] = ()
    closings: tuple[Closing, ...] = ()
    indeterminate: tuple[Indeterminate, ...] = ()
    fence_ms: float = 0.0
    #: What the other replicas made of it, where there are others.
    acknowledged: tuple[Acknowledgement, ...] = ()

    @property
    def closed(self) -> bool:
        """Whether nothing is left open."""
        return not any(item.open for item in self.closings)
