# SPDX-License-Identifier: Apache-2.0
"""Escalation: a question that is open for too long goes to a further group, which may then answer it, too.

The times are the configuration's. What was escalated is written with the question, so it survives restarts,
and of several replicas one does it. Escalation approves nothing, and moves no deadline.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.errors import Conflict
from remit.core.evidence.event import Event
from remit.core.evidence.events.decisions import ApprovalEscalated
from remit.ports.runtime import Clock
from remit.ports.store.approvals import ApprovalStore
from remit.ports.store.changes import PutApproval
from remit.ports.store.units import Unit
from remit.services.decisions.approvals import MAX_COUNTED


class EscalationStep(msgspec.Struct, frozen=True):
    """A question without an answer goes to a group `after` a time."""

    after: timedelta
    to: str


class Escalations:
    """Escalates open questions. For a background loop of every replica."""

    def __init__(
        self, *, store: ApprovalStore, clock: Clock, tenant: str, steps: Sequence[EscalationStep]
    ) -> None:
        """Take the dependencies, and the steps."""
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self.steps = tuple(sorted(steps, key=lambda step: step.after))

    async def turn(self) -> None:
        """Escalate each open question for which it is time."""
        if not self.steps:
            return
        now = self._clock.now()
        for one in await self._store.approvals(self._tenant, state=ApprovalState.PENDING, limit=MAX_COUNTED):
            due = self._due(one, now)
            if due:
                await self._escalate(one, due, now)

    def _due(self, one: Approval, now: datetime) -> list[EscalationStep]:
        if now >= one.expires:
            return []
        return [
            step for step in self.steps if one.requested + step.after <= now and step.to not in one.escalated
        ]

    async def _escalate(self, one: Approval, due: Sequence[EscalationStep], now: datetime) -> None:
        events = tuple(self._event(one, step, now) for step in due)
        further = one.escalated_to(step.to for step in due)
        change = PutApproval(further, expected=ApprovalState.PENDING, revision=one.revision)
        try:
            await self._store.commit(Unit((change,), events))
        except Conflict:
            # It was answered, escalated by another replica, or is over: the next turn looks again.
            return

    def _event(self, one: Approval, step: EscalationStep, now: datetime) -> Event:
        told = ApprovalEscalated(
            approval=one.id,
            call=one.call,
            tool=one.tool,
            to=step.to,
            after_s=int(step.after.total_seconds()),
            given=len(one.answers),
            needed=one.needed,
        )
        return Event.of(
            told, at=now, tenant=self._tenant, task=one.task, agent=one.agent, subject=one.subject
        )
