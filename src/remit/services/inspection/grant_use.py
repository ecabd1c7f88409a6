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
from remit.core.identity.access_review import UseWindow
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
    """What an agent uses of what it is granted, counted in a window.

    `tools` are the granted ones, the highest tier first; `others` those that it asked for without a grant.
    `counts` are the decisions by tool and outcome.
    """

    window: UseWindow
    counts: dict[str, Counter[str]]
    tools: tuple[GrantedToolUse, ...]
    others: tuple[GrantedToolUse, ...]

    @property
    def since(self) -> datetime:
        """Since when calls are counted."""
        return self.window.since

    @property
    def unused(self) -> tuple[GrantedToolUse, ...]:
        """The granted tools that it did not use."""
        return tuple(one for one in self.tools if not one.used)


class _Count(msgspec.Struct, frozen=True):
    """A count of an agent's calls in a window; the next one goes on where it ends."""

    window: UseWindow
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
            if named_by(one, agent):
                for tool in dict.fromkeys(grant.tool for grant in one.grants):
                    types.setdefault(tool, []).append(one.name)
        in_hand = Counter(tool for task in open_tasks for tool in {grant.tool for grant in task.grants})
        count = await self._counted(agent)
        counted = count.counted
        uses = [
            self._use(tool, tuple(types.get(tool, ())), in_hand[tool], counted.get(tool, Counter()))
            for tool in sorted({*types, *in_hand, *counted})
        ]
        uses.sort(key=lambda one: -Tier[one.tier.upper()] if one.tier else -len(Tier))
        return GrantedUse(
            window=count.window,
            counts=counted,
            tools=tuple(one for one in uses if one.granted),
            others=tuple(one for one in uses if not one.granted),
        )

    async def counted_in(self, agent: str, window: UseWindow) -> dict[str, Counter[str]]:
        """Return an agent's decisions by tool and outcome in a window that was shown, counted again."""
        return await self._more(agent, window, window.first, {})

    async def covers(self, agent: Agent, window: UseWindow) -> bool:
        """Return whether a window is one that `of` makes: its whole time, or the most events.

        A shorter one would hide calls, and one beyond the log could not be counted again.
        """
        size, first = window.size, window.first
        if not (first <= max(0, size - EVENTS) and size <= await self._log.size()):
            return False
        if window.since < agent.created:
            return False
        latest = max(agent.created, self._clock.now() - WINDOW)
        return window.since <= (max(latest, await self._time_of(first)) if first else latest)

    async def newer_than(self, size: int) -> datetime | None:
        """Return the time of the first event that a window of this size leaves out; None if there is none."""
        return await self._time_of(size) if size < await self._log.size() else None

    async def _counted(self, agent: Agent) -> _Count:
        """Return the count of the agent's calls by tool."""
        oldest = max(agent.created, self._clock.now() - WINDOW)
        size = await self._log.size()
        kept = self._kept.pop(agent.name, None)
        # A count is begun again before it reaches much further back than the window.
        if kept is None or kept.window.since < oldest - AGAIN:
            first = max(0, size - EVENTS)
            since = max(oldest, await self._time_of(first)) if first else oldest
            kept = _Count(UseWindow(since, first, first), {})
        window = UseWindow(kept.window.since, kept.window.first, size)
        made = _Count(window, await self._more(agent.name, window, kept.window.size, kept.counted))
        if len(made.counted) <= MOST_TOOLS:
            self._kept[agent.name] = made
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return made

    async def _more(
        self, agent: str, window: UseWindow, start: int, before: dict[str, Counter[str]]
    ) -> dict[str, Counter[str]]:
        """Return a count with what the events of a window from `start` on add to it."""
        wanted = EventSearch(agent=agent, since=window.since)
        counted = {tool: Counter(counts) for tool, counts in before.items()}
        at: int | None = start
        while at is not None:
            found = await self._searches.tally(wanted, zone=timedelta(), start=at, before=window.size)
            for one in found.tallies:
                if one.tool:
                    counted.setdefault(one.tool, Counter()).update(one.decided)
            at = found.reached
        return counted

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


def named_by(task_type: TaskType, agent: Agent) -> bool:
    """Return whether a task type names an agent, or one of its groups, to run it or to be handed its work."""
    runs = {agent.name, *(TEAM + group for group in agent.groups)} & set(task_type.run_by)
    return bool(runs) or task_type.delegates.names(agent)
