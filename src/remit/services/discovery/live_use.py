# SPDX-License-Identifier: Apache-2.0
"""remit's own traffic as a source of discovery: what is governed here, and what is granted and not used."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from remit.core.discovery.discovered import Discovered
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import Agent, AgentState
from remit.core.tasks.task import TaskState
from remit.ports.runtime import Clock
from remit.ports.store.tasks import TaskStore
from remit.services.identity.directory import Directory
from remit.services.inspection.grant_use import GrantedUse, GrantedUseReports

#: An agent is watched for this long before what it has not used is a finding.
WATCHED: Final = timedelta(days=14)
MOST_NAMED: Final = 50


class GovernedNames(msgspec.Struct, frozen=True, kw_only=True):
    """The names of what remit governs: registered agents, and upstreams."""

    agents: frozenset[str]
    upstreams: frozenset[str]


class LiveTraffic:
    """Reads what is live: registrations, open tasks, and the use of grants."""

    def __init__(
        self,
        *,
        store: TaskStore,
        clock: Clock,
        tenant: str,
        directory: Directory,
        use: GrantedUseReports,
        upstreams: frozenset[str],
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._directory = directory
        self._use = use
        self._upstreams = upstreams

    async def governed(self) -> GovernedNames:
        """Return what is governed now; a retired agent is not."""
        agents = await self._directory.agents()
        live = frozenset(one.name for one in agents if one.state is not AgentState.RETIRED)
        return GovernedNames(agents=live, upstreams=self._upstreams)

    async def found(self) -> tuple[Discovered, ...]:
        """Return a finding for each agent in service that was granted tools and did not use them.

        The evidence must reach back for two weeks: what is too busy to be counted so far is not judged.
        """
        found = []
        for agent in await self._directory.agents():
            if not agent.usable:
                continue
            tasks = await self._store.tasks(self._tenant, agent=agent.name, state=TaskState.ACTIVE)
            use = await self._use.of(agent, tasks)
            if self._clock.now() - use.since >= WATCHED and use.unused:
                found.append(_unused(agent, use))
        return tuple(found)


def _unused(agent: Agent, use: GrantedUse) -> Discovered:
    names = [one.tool for one in use.unused]
    types = sorted({name for one in use.unused for name in one.task_types})
    return Discovered(
        kind=FindingKind.UNUSED_AUTHORITY,
        about=f"agent:{agent.name}",
        which="grants",
        says=f"{agent.name} has not used {len(names)} of {len(use.tools)} granted tools",
        places=(),
        owner=agent.owner,
        evidence={"tools": sorted(names)[:MOST_NAMED], "task_types": types[:MOST_NAMED]},
        reach=tuple(sorted(names)[:MOST_NAMED]),
    )
