# SPDX-License-Identifier: Apache-2.0
"""Ceilings of agents, owners and people: what no task of theirs is ever granted, whatever its type grants.

INVARIANT: a ceiling only takes away. A tool that a ceiling does not know for certain is taken away.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

import msgspec

from remit.core.tools.tool import Tier, Tool


class CutBy(enum.StrEnum):
    """The bounds that take something from what a task type grants."""

    AGENT = "agent"
    OWNER = "owner"
    PERSON = "person"
    REQUEST = "request"


class AuthorityCut(msgspec.Struct, frozen=True):
    """A tool that a bound took from a task, whose bound it is, and why."""

    bound: CutBy
    name: str
    tool: str
    because: str


class AuthorityCeiling(msgspec.Struct, frozen=True):
    """The most that tasks may be granted: tools up to a tier, and where they are named, only these tools."""

    tier: Tier = Tier.AUTONOMOUS
    tools: tuple[str, ...] | None = None

    def objection(self, tool: Tool) -> str:
        """Return why a tool exceeds the ceiling; empty where it does not."""
        if self.tools is not None and tool.id not in self.tools:
            return "it is not one of the tools that the ceiling names"
        if tool.tier > self.tier:
            return f"its calls are of tier {tool.tier.word}, and {self.tier.word} is the highest"
        return ""


class AuthorityCeilings(msgspec.Struct, frozen=True):
    """The ceilings of a site, by the names of agents, of owners (`group:name` for a team), and of people."""

    agents: Mapping[str, AuthorityCeiling] = {}
    owners: Mapping[str, AuthorityCeiling] = {}
    people: Mapping[str, AuthorityCeiling] = {}

    def cuts(
        self, *, agent: str, owner: str, people: Iterable[str], tools: Iterable[Tool]
    ) -> tuple[AuthorityCut, ...]:
        """Return what the ceilings take from these tools, with the first bound that objects to each."""
        bounds = [
            (CutBy.AGENT, agent, self.agents.get(agent)),
            (CutBy.OWNER, owner, self.owners.get(owner)),
            *((CutBy.PERSON, name, self.people.get(name)) for name in people),
        ]
        cuts = []
        for tool in tools:
            for bound, name, ceiling in bounds:
                if ceiling is not None and (why := ceiling.objection(tool)):
                    cuts.append(AuthorityCut(bound, name, tool.id, why))
                    break
        return tuple(cuts)
