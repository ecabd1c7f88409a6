# SPDX-License-Identifier: Apache-2.0
"""Sections about agents and people: what takes an agent out of service, and what needs two people."""

from __future__ import annotations

from typing import Annotated

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
