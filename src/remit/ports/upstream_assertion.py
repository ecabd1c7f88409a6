# SPDX-License-Identifier: Apache-2.0
"""Upstream assertions: remit states to an authorization server whose task it is, and which agent acts."""

from __future__ import annotations

from typing import Protocol

from remit.core.tasks.task import Task


class AssertionIssuer(Protocol):
    """Signs short-lived assertions for one audience each. Safe for many at once; nothing is kept.

    Both methods raise `KeyUnavailable`: the first where a task is for no person, both where the key cannot be
    used.
    """

    async def for_person(self, task: Task, audience: str) -> str:
        """Return a JWT whose subject is the person of a task, with the agent as its actor."""
        ...

    async def for_agent(self, task: Task, audience: str) -> str:
        """Return a JWT whose subject is the agent of a task."""
        ...
