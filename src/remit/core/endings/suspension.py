# SPDX-License-Identifier: Apache-2.0
"""Suspended tasks: the first stage of a stop, which can be taken back.

A suspended task is one whose own scope is locked, while its epoch stays: nothing of it is permitted, and
nothing of it has ended.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from remit.core.errors import Suspended
from remit.core.scope import ScopeKind, scope


class Suspension(msgspec.Struct, frozen=True, kw_only=True):
    """Who suspended a task, when and why."""

    task: str
    by: str
    at: datetime
    reason: str = ""


def suspended_task(name: str) -> str:
    """Return the task whose scope this is; empty for other scopes."""
    kind, _, task = name.partition(":")
    return task if kind == ScopeKind.TASK else ""


def task_scope(task: str) -> str:
    """Return the scope of a task."""
    return scope(ScopeKind.TASK, task)


def suspended(task: str, step: int | None = None) -> Suspended:
    """Return the refusal of whatever needs a suspended task to go on."""
    return Suspended(
        f"task `{task}` is suspended",
        remediation="wait until a person resumes it (`remit task resume`), or ends it",
        step=step,
    )
