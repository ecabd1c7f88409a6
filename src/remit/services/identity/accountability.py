# SPDX-License-Identifier: Apache-2.0
"""Accountability for agents, and what happens when an agent has no accountable owner.

An agent without an accountable owner can do nothing. The running work of the owner's agents ends, and none of
these agents can begin work until a person answers for them again. Remit sets its own lock for this; a lock
that an administrator set by hand is left unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable

from remit.core.endings.closure import Cause
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import TEAM, Agent, AgentState, Person
from remit.core.scope import ScopeKind, scope
from remit.services.endings.ending import Endings
from remit.services.findings.findings import Findings


class Accountability:
    """Checks that each agent has an accountable owner."""

    def __init__(self, findings: Findings, revocations: Endings) -> None:
        """Take the dependencies."""
        self._findings = findings
        self._revocations = revocations

    async def look(self, agents: Iterable[Agent], people: list[Person]) -> None:
        """Find agents without an accountable owner and end their work; undo this for agents that have one
        again.
        """
        open_now = {
            one.about: one
            for one in await self._findings.about(state=FindingState.OPEN, kinds=(FindingKind.OWNERLESS,))
        }
        for agent in agents:
            about = f"agent:{agent.name}"
            fault = "" if agent.state is AgentState.RETIRED else owner_fault(agent.owner, people)
            if fault and about not in open_now:
                facts = {"owner": agent.owner, "why": fault}
                await self._findings.see(FindingKind.OWNERLESS, about, agent.owner, facts)
                await self._shut(agent.owner, fault)
            elif not fault and about in open_now:
                await self._open(agent.owner)
                await self._findings.resolve(
                    open_now[about].id, by="remit", resolution="the agent has an accountable owner again"
                )

    async def _shut(self, owner: str, fault: str) -> None:
        if scope(ScopeKind.OWNER, owner) not in {one.scope for one in await self._revocations.locks()}:
            await self._revocations.end_scope(
                ScopeKind.OWNER, owner, reason=fault, by="remit", lock=True, cause=Cause.OWNER_LEFT
            )

    async def _open(self, owner: str) -> None:
        for one in await self._revocations.locks():
            if one.scope == scope(ScopeKind.OWNER, owner) and one.cause is Cause.OWNER_LEFT:
                await self._revocations.unlock(ScopeKind.OWNER, owner, by="remit")


def owner_fault(owner: str, people: Iterable[Person]) -> str:
    """Return why an owner cannot answer for an agent; an empty text where the owner can."""
    if owner.startswith(TEAM):
        team = owner.removeprefix(TEAM)
        there = any(one.active and team in one.groups for one in people)
        return "" if there else "the team has no active member"
    found = next((one for one in people if one.name == owner), None)
    if found is None:
        return "the person does not exist"
    return "" if found.active else "the person is no longer active"
