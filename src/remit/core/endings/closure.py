# SPDX-License-Identifier: Apache-2.0
"""Endings: their causes, the locks, and the record of what an ending closed (the closure)."""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec

from remit.core.replicas.replica import Acknowledgement
from remit.core.tasks.task import TaskState


class Cause(enum.StrEnum):
    """The cause of an ending: the closed set of ways in which authority is removed.

    `asked`: a person did so by hand, and gave the reason.
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
    RESTORED = "restored"


_UNHURRIED = frozenset({Cause.COMPLETED, Cause.DEADLINE, Cause.LEASE, Cause.IDLE, Cause.BUDGET, Cause.POLICY})


class Fence(msgspec.Struct, frozen=True):
    """The state of one scope."""

    scope: str
    epoch: int = 0
    locked: bool = False


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """The reason, time and author of a lock on a scope; `cause` distinguishes a manual lock from one that
    remit set.
    """

    scope: str
    by: str = ""
    at: datetime | None = None
    reason: str = ""
    cause: Cause = Cause.ASKED

    @property
    def name(self) -> str:
        """The name of the locked scope, without its kind."""
        return self.scope.partition(":")[2]


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of an ending: the reason, the author, and the resulting state of its tasks. `lock` keeps the
    scope locked.
    """

    reason: str
    by: str
    cause: Cause = Cause.ASKED
    state: TaskState = TaskState.REVOKED
    lock: bool = False

    @property
    def hurried(self) -> bool:
        """Whether calls wait for this ending.

        They need not wait where authority has run out or work is done, because it then permits nothing
        further.
        """
        return self.cause not in _UNHURRIED


class Indeterminate(msgspec.Struct, frozen=True):
    """A call that was permitted before the fence and whose outcome is unknown."""

    decision: str
    tool: str
    effect: str


class Closing(msgspec.Struct, frozen=True):
    """One derived permission and the time at which it was first refused.

    For an upstream's credential, `name` is the sink, `refused_after_ms` the time at which the sink first
    refused a probe with the dead credential, `revoked_after_ms` the time at which the credential's source had
    revoked it, `attempts` the number of attempts, and `lease` the lease id. `by_hand`: no probe has shown
    that the credential is dead, and a person has closed the item; `detail` names the person and the reason.
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
        """Whether the permission may still be usable, as far as is known."""
        return self.refused_after_ms is None and not self.by_hand


class Closure(msgspec.Struct, frozen=True, kw_only=True):
    """The record of an ending: every derived permission, indeterminate calls, and what is still open."""

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
    #: The acknowledgements of the other replicas, if any.
    acknowledged: tuple[Acknowledgement, ...] = ()

    @property
    def closed(self) -> bool:
        """Whether no closing is open."""
        return not any(item.open for item in self.closings)
