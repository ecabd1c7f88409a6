# SPDX-License-Identifier: Apache-2.0
"""A call that a proof found becomes a request only in a form that the call itself gives the tool."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from remit.core.decisions.possible_request import ImpossibleCall, request_of
from remit.core.flow.facts import FlowFacts
from remit.core.label import Audience, Classes, Trust
from remit.core.policy.proof import PossibleCall
from remit.core.tasks.plan import PLAN_TOOL
from remit.core.tools.constraint import EmailDomain, Exact
from remit.core.tools.tool import Effect, Narrowing, StoredDestination, Tool, ToolState, Variant
from tests.worlds.values import START

AGENT = dict.fromkeys(("owner", "purpose", "environment", "initiative", "manifest"), "") | {
    "name": "ada",
    "state": "active",
}
TASK = dict.fromkeys(("id", "type", "owner", "on_behalf_of", "environment", "initiative", "requested_by"), "")
THREAD = StoredDestination(
    by=("thread",),
    read_by=("mail/read",),
    narrowings=(Narrowing(EmailDomain(("example.com",)), Audience("internal"), Effect.REVERSIBLE),),
)
SEND = Tool(
    upstream="mail",
    name="reply",
    stored_destination=THREAD,
    variants=(Variant({"kind": Exact("draft")}, effect=Effect.NONE),),
)


def call(effect: str, audience: str, tier: str, arguments: Any = None, **flow: Any) -> PossibleCall:
    """A call that a proof found, of a quiet task."""
    context = {
        "args": arguments or {},
        "arg_names": ["left_out", *(arguments or {})],
        "effect": effect,
        "audience": audience,
        "tier": tier,
        "assurance": "attested",
        "label": {"class": "internal", "untrusted": True, "categories": ["pii"], "zones": []},
        "flow": msgspec.to_builtins(FlowFacts(**flow)),
        "provenance": {"thread": "untrusted"},
        "record": {},
        "task": {**TASK, "params": {"topic": "rivers"}, "depth": 2},
        "crossings": 1,
        "max_crossings": 3,
        "now": START,
    }
    return PossibleCall(dict(AGENT), ("ops",), "changed", context)


@pytest.mark.parametrize(
    ("found", "effect", "audience"),
    [
        (call("irreversible", "external", "autonomous"), Effect.IRREVERSIBLE, "external"),
        (call("none", "external", "assistant", {"kind": "draft"}), Effect.NONE, "external"),
        (call("reversible", "internal", "operator", participants="known"), Effect.REVERSIBLE, "internal"),
        (call("irreversible", "self", "autonomous", to_self=True), Effect.IRREVERSIBLE, "self"),
    ],
)
def test_a_call_has_the_form_that_its_arguments_and_its_flow_give_it(
    found: PossibleCall, effect: Effect, audience: str
) -> None:
    """As described, a variant, narrowed to known participants, to the person alone."""
    request = request_of(found, SEND, Classes())
    assert (request.tool.effect, request.tool.audience.name) == (effect, audience)
    assert request.tier is request.tool.tier


@pytest.mark.parametrize(
    "found",
    [
        call("none", "external", "assistant"),
        call("reversible", "internal", "operator", participants="doubtful"),
        call("irreversible", "self", "autonomous"),
        call("irreversible", "external", "assistant"),
    ],
)
def test_a_form_that_the_call_does_not_give_the_tool_cannot_happen(found: PossibleCall) -> None:
    """The engine would decide another call than the one that was found."""
    with pytest.raises(ImpossibleCall):
        request_of(found, SEND, Classes())


def test_what_a_call_brings_is_taken_over_and_the_rest_is_derived() -> None:
    """Clearance comes from the classes, whatever the solver says of it."""
    request = request_of(call("irreversible", "external", "autonomous"), SEND, Classes())
    assert (request.agent.name, request.agent.groups, request.tool.state) == (
        "ada",
        ("ops",),
        ToolState.CHANGED,
    )
    assert request.arguments == {"left_out": None}
    assert (request.label.data_class, request.label.trust) == ("internal", Trust.UNTRUSTED)
    assert not request.cleared
    assert (len(request.task.ancestors), request.task.intent.params) == (2, {"topic": "rivers"})
    assert request.flow.arguments["thread"].provenance == "untrusted"


def test_an_extension_of_a_plan_is_always_cleared() -> None:
    """It goes to remit itself."""
    found = call("none", "self", "assistant", adds="reads")
    secret = {**found.context["label"], "class": "restricted"}
    found.context["label"] = secret
    lowest = Classes(clearance={})
    assert request_of(found, PLAN_TOOL, lowest).cleared
