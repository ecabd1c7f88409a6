# SPDX-License-Identifier: Apache-2.0
"""Why a tool is of its tier, and what a tool does, in plain words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from remit.core.tools.constraint.conditions import argument, joined
from remit.core.tools.tool import Effect, Tier, Tool

_DEEDS: Final = {
    Effect.NONE: "read with",
    Effect.REVERSIBLE: "change things, in a way that can be undone, with",
    Effect.IRREVERSIBLE: "change things irreversibly with",
}


#: What the calls of a tier need, beside an open task whose grants permit them.
_NEEDS: Final[dict[Tier, tuple[str, ...]]] = {
    Tier.CONVERSATION: (),
    Tier.ASSISTANT: ("a clearance of the audience for the data that the task has read",),
    Tier.OPERATOR: (
        "an identity that was proven, not only asserted",
        "a token that is bound to its sender, unless the upstream waives that",
    ),
    Tier.AUTONOMOUS: ("an approval for production, and for money whose payee no person stated",),
}
_ATTENDED: Final = "after untrusted data, that the person's words or the plan lead to the call"
_ALONE: Final = (
    "a grant that constrains each argument that leads somewhere, counts or runs, or an approval",
    "an approval or a runbook, if the risk is high",
    "an end with the work: a lease, a completing call, a budget, or a deadline within an hour",
)


_LIFTED_BY: Final = {
    Tier.CONVERSATION: "a tool that stays inside its own conversation",
    Tier.ASSISTANT: "a tool that reads governed data",
    Tier.OPERATOR: "a tool that changes something, which can be undone",
    Tier.AUTONOMOUS: "a tool whose effect cannot be undone or lies outside the organisation, or that acts on "
    "production or moves money",
}


class TierLift(msgspec.Struct, frozen=True):
    """A tier of a task's calls: the tools that lift the task there, with the reasons, and what calls need.

    `because` is empty for the next tier above, which no tool reaches yet. `lifted_by` is what any tool has
    that lifts a task there. `needs` are those of this tier beyond the tiers below it, as the default policies
    have them. `below` are the conditions, by tool, under which its calls are of a lower tier.
    """

    tier: str
    because: dict[str, str]
    lifted_by: str
    needs: tuple[str, ...]
    below: dict[str, tuple[str, ...]] = {}


class TierForm(msgspec.Struct, frozen=True):
    """A tier that calls of a tool have under certain conditions, and the conditions in words."""

    tier: Tier
    when: str


def deed(tool: Tool) -> str:
    """Return what a task may do with a tool, as words before the tool's name: `read with`."""
    if tool.financial:
        return "move money with"
    words = _DEEDS[tool.effect]
    return words.replace("things", "production") if tool.production else words


def discloses(tool: Tool) -> str:
    """Return who learns the arguments of a call; empty where only the caller does."""
    audience = tool.audience.name
    return {
        "self": "",
        "internal": "its arguments stay inside the organisation",
        "external": "its arguments leave the organisation",
    }.get(audience, f"its arguments are visible to {audience}")


def tier_reason(tool: Tool) -> str:
    """Return what makes the calls of a tool be of its tier."""
    if not tool.described:
        return "no file describes it, so it counts as irreversible and external"
    reasons = {
        "what it does cannot be undone": tool.effect is Effect.IRREVERSIBLE,
        "it acts on production": tool.production,
        "it moves money": tool.financial,
        "what it changes lies outside the organisation": tool.effect is Effect.REVERSIBLE
        and tool.audience.name == "external",
    }
    if found := [why for why, holds in reasons.items() if holds]:
        return joined(found)
    if tool.effect is Effect.REVERSIBLE:
        return "it changes something, which can be undone"
    return "it stays inside its own conversation" if tool.own_conversation else "it reads governed data"


def lower_forms(tool: Tool) -> tuple[TierForm, ...]:
    """Return the lower tiers of calls whose arguments meet the conditions of one of the tool's variants."""
    found = []
    for variant in tool.variants:
        if (tier := variant.of(tool).tier) < tool.tier:
            when = [argument(name, one) for name, one in variant.arguments.items()]
            found.append(TierForm(tier, joined(when)))
    return tuple(found)


def tier_lifts(tools: Iterable[Tool], *, attended: bool) -> tuple[TierLift, ...]:
    """Return the tiers that calls of these tools have, lowest first, and the next one above.

    `attended`: a person stands behind the task, or talks to its client.
    """
    by_tier: dict[Tier, list[Tool]] = {}
    for tool in tools:
        by_tier.setdefault(tool.tier, []).append(tool)
    highest = max(by_tier, default=Tier.CONVERSATION)
    if highest is not Tier.AUTONOMOUS:
        by_tier.setdefault(Tier(highest + 1), [])
    return tuple(
        TierLift(
            tier.word,
            {tool.id: tier_reason(tool) for tool in by_tier[tier]},
            _LIFTED_BY[tier],
            _needs(tier, attended=attended),
            {
                tool.id: tuple(f"{form.tier.word}, where {form.when}" for form in forms)
                for tool in by_tier[tier]
                if (forms := lower_forms(tool))
            },
        )
        for tier in sorted(by_tier)
    )


def _needs(tier: Tier, *, attended: bool) -> tuple[str, ...]:
    needs = _NEEDS[tier]
    if tier is Tier.OPERATOR and attended:
        return (*needs, _ATTENDED)
    return (*needs, *_ALONE) if tier is Tier.AUTONOMOUS and not attended else needs
