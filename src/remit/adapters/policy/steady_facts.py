# SPDX-License-Identifier: Apache-2.0
"""Facts that stay the same between calls, so that the result of rules that read nothing else can be kept."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from remit.adapters.policy.facts import high_risk_of, provenance_of
from remit.core.decisions.access_request import AccessRequest

#: Attributes of the context that the task, its label and the tool determine, and the few flow facts that are
#: the same for most calls of a tool.
STEADY: Final = frozenset(
    {
        "tier",
        "tier_level",
        "effect",
        "audience",
        "audiences",
        "cleared",
        "assurance",
        "assurance_level",
        "label",
        "task_label",
        "sink_clearance",
        "crossings",
        "max_crossings",
        "flow",
        "destination_trust",
        "provenance",
        "task",
        "scoped",
        "high_risk",
    }
)


def alike(one: AccessRequest, other: AccessRequest, read: Collection[str]) -> bool:
    """Return whether two requests of one agent for one tool have the same steady facts.

    `read` names the facts that are read.

    INVARIANT: compares everything in a request except what `STEADY` leaves out (arguments, time) and what the
    caller has compared already (agent, tool with effect and audience).
    """
    return (
        one.task is other.task
        and one.label is other.label
        and one.cleared is other.cleared
        and one.tier is other.tier
        and one.principal == other.principal
        and one.crossings == other.crossings
        and one.max_crossings == other.max_crossings
        and one.unscoped == other.unscoped
        and one.flow.facts == other.flow.facts
        and ("high_risk" not in read or high_risk_of(one) == high_risk_of(other))
        and ("provenance" not in read or provenance_of(one) == provenance_of(other))
    )
