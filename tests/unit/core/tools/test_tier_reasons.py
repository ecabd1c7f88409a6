# SPDX-License-Identifier: Apache-2.0
"""What lifts a task from one tier to the next, said as the tier is computed."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from remit.core.label import Audience
from remit.core.tools.constraint import load
from remit.core.tools.tier_reasons import deed, lower_forms, tier_lifts, tier_reason
from remit.core.tools.tool import Effect, Tier, Tool, Variant


def a_tool(name: str = "act", **changes: Any) -> Tool:
    """Return a described tool that reads, for its caller alone."""
    known: dict[str, Any] = {"effect": Effect.NONE, "audience": Audience("self"), "described": True}
    return Tool(upstream="desk", name=name, **(known | changes))


@pytest.mark.parametrize(
    ("changes", "tier", "why"),
    [
        ({"own_conversation": True}, Tier.CONVERSATION, "it stays inside its own conversation"),
        ({}, Tier.ASSISTANT, "it reads governed data"),
        ({"effect": Effect.REVERSIBLE}, Tier.OPERATOR, "it changes something, which can be undone"),
        ({"effect": Effect.IRREVERSIBLE}, Tier.AUTONOMOUS, "what it does cannot be undone"),
        (
            {"effect": Effect.REVERSIBLE, "audience": Audience("external")},
            Tier.AUTONOMOUS,
            "what it changes lies outside the organisation",
        ),
        (
            {"effect": Effect.IRREVERSIBLE, "production": True, "financial": True},
            Tier.AUTONOMOUS,
            "what it does cannot be undone, it acts on production and it moves money",
        ),
        ({"described": False}, Tier.ASSISTANT, "no file describes it"),
    ],
)
def test_the_reason_is_that_of_the_tier(changes: dict[str, Any], tier: Tier, why: str) -> None:
    """Each property that counts is named, and no other."""
    tool = a_tool(**changes)
    assert (tool.tier, tier_reason(tool)[: len(why)]) == (tier, why)


def test_every_autonomous_tool_has_a_reason_of_that_tier() -> None:
    """Whatever its properties are: the words for reading never explain a tool above reading."""
    audiences = [Audience(name) for name in ("self", "internal", "external")]
    for effect, audience, production, financial in product(Effect, audiences, (0, 1), (0, 1)):
        tool = a_tool(
            effect=effect, audience=audience, production=bool(production), financial=bool(financial)
        )
        reads = tier_reason(tool) == "it reads governed data"
        assert reads == (tool.tier is Tier.ASSISTANT)
        assert deed(tool).endswith(" with")


def test_the_tiers_come_in_order_with_the_next_one_above() -> None:
    """Each with its tools, what they need, and what would lift the task further."""
    read, write = a_tool("read"), a_tool("write", effect=Effect.REVERSIBLE)
    lifts = tier_lifts([write, read], attended=True)
    assert [(one.tier, list(one.because)) for one in lifts] == [
        ("assistant", ["desk/read"]),
        ("operator", ["desk/write"]),
        ("autonomous", []),
    ]
    assert "cannot be undone" in lifts[2].lifted_by
    assert [one.tier for one in tier_lifts([], attended=True)] == ["assistant"]
    top = tier_lifts([a_tool("burn", effect=Effect.IRREVERSIBLE)], attended=True)
    assert [one.tier for one in top] == ["autonomous"]


def test_without_a_person_the_highest_tier_needs_more() -> None:
    """A scope, an approval or a runbook, and an end."""
    tool = a_tool("burn", effect=Effect.IRREVERSIBLE)
    (attended,), (alone,) = tier_lifts([tool], attended=True), tier_lifts([tool], attended=False)
    more = set(alone.needs) - set(attended.needs)
    assert len(more) == 3
    assert any("runbook" in one for one in more)


def test_conditions_that_lower_the_tier_are_named() -> None:
    """A mail to the organisation itself can be less than a mail."""
    inside = Variant({"to": load({"email_domain": ["example.org"]})}, Effect.REVERSIBLE, Audience("internal"))
    mail = a_tool("mail", effect=Effect.IRREVERSIBLE, audience=Audience("external"), variants=(inside,))
    (form,) = lower_forms(mail)
    assert (form.tier, form.when) == (Tier.OPERATOR, "`to` is one mail address at example.org")
    assert tier_lifts([mail], attended=True)[0].below == {"desk/mail": (f"operator, where {form.when}",)}
