# SPDX-License-Identifier: Apache-2.0
"""Sections about agents and people: what takes an agent out of service, and what needs two people."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from remit.config.reading.section import Section
from remit.core.findings.finding import FindingKind


class AgentsSection(Section, frozen=True, kw_only=True):
    """Settings of all agents."""

    suspend_on: Annotated[
        tuple[FindingKind, ...],
        Meta(description="Kinds of findings that suspend the agent concerned."),
    ] = ()
    end_on: Annotated[
        tuple[FindingKind, ...],
        Meta(
            description="Kinds of findings that end the tasks of the agent concerned, because its "
            "posture has changed since they were opened. The agent may open new tasks."
        ),
    ] = ()
    openings_per_minute: Annotated[
        int,
        Meta(
            ge=1,
            description="Tasks that an agent may open by its own decision in a minute; it may delegate "
            "the same number.",
        ),
    ] = 60
    open_at_once: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="Open tasks that an agent may have by its own decision; it may have the same "
            "number delegated to one other agent.",
        ),
    ] = 100


class CeilingSection(Section, frozen=True, kw_only=True):
    """The most that tasks of one agent, owner or person are granted, whatever their type grants."""

    tier: Annotated[
        Literal["conversation", "assistant", "operator", "autonomous"],
        Meta(description="Highest tier of their tools."),
    ] = "autonomous"
    tools: Annotated[
        tuple[str, ...] | None,
        Meta(description="Their only tools, as `upstream/tool`. Default: every tool of the tier."),
    ] = None


class CeilingsSection(Section, frozen=True, kw_only=True):
    """Ceilings of agents, of the owners of agents, and of people. Task types grant less, never more."""

    agents: Annotated[dict[str, CeilingSection], Meta(description="By the agent's name.")] = {}
    owners: Annotated[
        dict[str, CeilingSection], Meta(description="By the owner: a person, or a team as `group:name`.")
    ] = {}
    people: Annotated[
        dict[str, CeilingSection], Meta(description="By the person who requests a task, or who is acted for.")
    ] = {}


class PoliciesSection(Section, frozen=True, kw_only=True):
    """Settings of the policy bundle."""

    second_person: Annotated[
        bool,
        Meta(
            description="Whether two administrators must agree before a policy bundle replaces another: one "
            "applies it, and another one confirms its digest."
        ),
    ] = False


class PeopleSection(Section, frozen=True, kw_only=True):
    """Settings of all people."""

    second_person: Annotated[
        bool,
        Meta(
            description="Whether two administrators must agree before a person becomes an approver or "
            "administrator, and before a sign-in code is made for another person."
        ),
    ] = False
    first_approves: Annotated[
        bool,
        Meta(
            description="Whether the first person, who is made at the first start, is an approver, too: for "
            "a remit of one person, as `remit wrap` makes it. Requesters never approve calls of their tasks."
        ),
    ] = False
