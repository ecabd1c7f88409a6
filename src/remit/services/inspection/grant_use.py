# SPDX-License-Identifier: Apache-2.0
"""What an agent uses of what it is granted: for a review of its authority.

An agent is granted the tools of the task types that name it, and those of its open tasks. Their use is
counted from the evidence, over a window that is bounded in time and in events: a page may ask at any moment.
"""

from __future__ import annotations

import contextlib
from collections import Counter, OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from remit.core.evidence.export import read_leaf
from remit.core.identity.principals import TEAM, Agent, Memberships
from remit.core.tasks.task import Task, TaskType
from remit.core.tools.tool import Tier
from remit.ports.runtime import Clock
from remit.services.evidence.event_search import EventSearch, EventSearches
from remit.services.evidence.log import Evidence
from remit.services.policy.bundle import Policies
from remit.services.tools.pinned_tools import ToolCatalogue

#: The window: its longest time, and the most events that are looked at.
WINDOW: Final = timedelta(days=30)
EVENTS: Final = 10_000
#: How far a kept count may reach back beyond the window.
AGAIN: Final = timedelta(days=1)
#: Most tools of a count that is kept: an agent may ask for any number of names.
MOST_TOOLS: Final = 1_000
#: Agents whose count is kept, so that the next question counts only what came after.
KEPT: Final = 200


class GrantedToolUse(msgspec.Struct, frozen=True, kw_only=True):
    """The use of one tool: the decisions about its calls, by outcome.

    `task_types` name the agent and grant the tool; `open_tasks` is the number of its open tasks that grant
    it. The tier is empty for a tool that is not registered.
    """

    tool: str
    tier: str
    task_types: tuple[str, ...]
    open_tasks: int
    permitted: int
    refused: int
    asked: int

    @property
    def granted(self) -> bool:
        """Whether the agent is granted the tool at all."""
        return bool(self.task_types or self.open_tasks)

    @property
    def used(self) -> bool:
        """Whether a call of the tool was permitted, or waited for a person."""
        return bool(self.permitted or self.asked)


class GrantedUse(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent uses of what it is granted, counted from `since` on.

    `tools` are the granted ones, the highest tier first; `others` those that it asked for without a grant.
    """

    since: datetime
    tools: tuple[GrantedToolUse, ...]
    others: tuple[GrantedToolUse, ...]

    @property
    def unused(self) -> tuple[GrantedToolUse, ...]:
        """The granted tools that it did not use."""
        return tuple(one for one in self.tools if not one.used)


class _Count(msgspec.Struct, frozen=True):
    """A count of an agent's calls since a time, up to the event before `next`."""

    since: datetime
    next: int
    counted: dict[str, Counter[str]]


class GrantedUseReports:
    """Reports what agents use of what they are granted."""

    def __init__(
        self,
        *,
        log: Evidence,
        searches: EventSearches,
        policies: Policies,
        tools: ToolCatalogue,
        members: Memberships,
        clock: Clock,
    ) -> None:
        """Take the dependencies."""
        self._log = log
        self._searches = searches
        self._policies = policies
        self._tools = tools
        self._members = members
        self._clock = clock
        self._kept: OrderedDict[str, _Count] = OrderedDict()

    async def of(self, agent: Agent, open_tasks: list[Task]) -> GrantedUse:
        """Return what an agent, with these open tasks, uses of what it is granted."""
        agent = self._members.of_agent(agent)
        types: dict[str, list[str]] = {}
        for one in self._policies.applied.bundle.task_types.values():
            if _names(one, agent):
                for tool in dict.fromkeys(grant.tool for grant in one.grants):
                    types.setdefault(tool, []).append(one.name)
        in_hand = Counter(tool for task in open_tasks for tool in {grant.tool for grant in task.grants})
        since, counted = await self._counted(agent)
        uses = [
            self._use(tool, tuple(types.get(tool, ())), in_hand[tool], counted.get(tool, Counter()))
            for tool in sorted({*types, *in_hand, *counted})
        ]
        uses.sort(key=lambda one: -Tier[one.tier.upper()] if one.tier else -len(Tier))
        return GrantedUse(
            since=since,
            tools=tuple(one for one in uses if one.granted),
            others=tuple(one for one in uses if not one.granted),
        )

    async def _counted(self, agent: Agent) -> tuple[datetime, dict[str, Counter[str]]]:
        """Return since when the agent's calls are counted, and the count by tool."""
        oldest = max(agent.created, self._clock.now() - WINDOW)
        size = await self._log.size()
        kept = self._kept.pop(agent.name, None)
        # A count is begun again before it reaches much further back than the window.
        if kept is None or kept.since < oldest - AGAIN:
            first = max(0, size - EVENTS)
            kept = _Count(max(oldest, await self._time_of(first)) if first else oldest, first, {})
        wanted = EventSearch(agent=agent.name, since=kept.since)
        found = await self._searches.tally(wanted, zone=timedelta(), start=kept.next, before=size)
        counted = {tool: Counter(counts) for tool, counts in kept.counted.items()}
        for one in found.tallies:
            if one.tool:
                counted.setdefault(one.tool, Counter()).update(one.decided)
        if found.reached is None and len(counted) <= MOST_TOOLS:
            self._kept[agent.name] = _Count(kept.since, size, counted)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return kept.since, counted

    async def _time_of(self, index: int) -> datetime:
        begin = await self._searches.search(EventSearch(), start=index, limit=1)
        # An event that was changed in the store has no time; the audit of the log finds it.
        with contextlib.suppress(ValueError, IndexError):
            return datetime.fromisoformat(read_leaf(begin.entries[0].leaf)[0].at)
        return datetime.min.replace(tzinfo=UTC)

    def _use(
        self, tool: str, types: tuple[str, ...], open_tasks: int, decided: Counter[str]
    ) -> GrantedToolUse:
        known = self._tools.get(tool)
        return GrantedToolUse(
            tool=tool,
            tier=known.tier.word if known is not None else "",
            task_types=types,
            open_tasks=open_tasks,
            # What is only observed was refused, and the call went on.
            permitted=decided["permit"] + decided["observed"],
            refused=decided["deny"],
            asked=decided["defer"],
        )


def _names(task_type: TaskType, agent: Agent) -> bool:
    runs = {agent.name, *(TEAM + group for group in agent.groups)} & set(task_type.run_by)
    return bool(runs) or task_type.delegates.names(agent)
