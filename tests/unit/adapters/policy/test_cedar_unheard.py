# SPDX-License-Identifier: Apache-2.0
"""Without the person's words the guardrails ask more and refuse less, and never permit more."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.policy.cedar import CedarPolicies
from remit.core.decisions.decision import Outcome, weigh
from remit.core.flow.facts import Flow, FlowFacts
from remit.core.label import Audience
from remit.core.tools.tool import Effect, Tool
from tests.samples.policy_requests import CLERK, PAY, SUMMARISE, guardrails, request

_PROVENANCE: Final = st.sampled_from(("none", "intent", "trusted", "unknown", "untrusted"))
_SPECIAL: Final = {"plan": st.sampled_from(("none", "planned", "unplanned")), "adds": st.just("none")}
FACTS: Final = st.fixed_dictionaries(
    {
        one.name: _SPECIAL.get(one.name, st.booleans() if one.type is bool else _PROVENANCE)
        for one in msgspec.structs.fields(FlowFacts)
        if one.name != "unheard"
    }
)
TOOLS: Final = tuple(
    msgspec.structs.replace(PAY, name=f"t{number}", financial=False, effect=effect, audience=Audience(who))
    for number, (effect, who) in enumerate(
        (effect, who) for effect in Effect for who in ("internal", "external")
    )
)
POLICY: Final = CedarPolicies().load(guardrails(), TOOLS, [SUMMARISE], [CLERK])
STRICT: Final = {Outcome.PERMIT: 0, Outcome.DEFER: 1, Outcome.DENY: 2}


def outcome(tool: Tool, flow: dict[str, Any]) -> Outcome:
    """Return what the guardrails say of a call with these facts."""
    answer = POLICY.evaluate(request(tool, {"to": "x", "amount": 1}, flow=Flow(FlowFacts(**flow))))
    return weigh(answer, frozenset())[0]


@given(st.sampled_from(TOOLS), FACTS)
def test_what_was_refused_is_asked_at_best(tool: Tool, flow: dict[str, Any]) -> None:
    """Whatever is known of a call: the profile turns no refusal and no question into a permit."""
    strict, soft = outcome(tool, flow), outcome(tool, flow | {"unheard": True})
    assert STRICT[soft] <= STRICT[strict]
    assert (soft is Outcome.PERMIT) == (strict is Outcome.PERMIT)


@given(st.sampled_from(TOOLS), FACTS)
def test_where_untrusted_data_says_where_to_is_refused_all_the_same(tool: Tool, flow: dict[str, Any]) -> None:
    """So is what untrusted data names where the call cannot be undone, or goes outside."""
    to = flow | {"unheard": True, "destination": "untrusted", "destination_pointed": False}
    assert outcome(tool, to) is Outcome.DENY
    which = {"selector": "untrusted", "selector_pointed": False, "selector_reached": False}
    if tool.effect is Effect.IRREVERSIBLE or (
        tool.effect is not Effect.NONE and tool.audience.name == "external"
    ):
        assert outcome(tool, flow | which | {"unheard": True, "tainted": True}) is Outcome.DENY
