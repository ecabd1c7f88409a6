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
        Meta(description="Kinds of findings that suspend the agent that they are about."),
    ] = ()
    end_on: Annotated[
        tuple[FindingKind, ...],
        Meta(
            description="Kinds of findings that end the tasks of the agent that they are about: its posture "
            "is not what it was when they were opened. It may open new ones."
        ),
    ] = ()
    openings_per_minute: Annotated[
        int,
        Meta(
            ge=1,
            description="Tasks that an agent may open by its own word in a minute; as many it may hand down.",
        ),
    ] = 60
    open_at_once: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="Tasks opened by its own word that it may have at once; as many it may have handed"
            " down to one other agent.",
        ),
    ] = 100


class PeopleSection(Section, frozen=True, kw_only=True):
    """Settings of all people."""

    second_person: Annotated[
        bool,
        Meta(
            description="Whether two administrators must agree to what makes somebody an approver or an "
            "administrator, and to a sign-in code for anybody else."
        ),
    ] = False
