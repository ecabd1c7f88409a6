# SPDX-License-Identifier: Apache-2.0
"""What policies see of a call's flow, and that it costs no evaluation while nothing changes."""

from __future__ import annotations

from typing import Any

import cedarpy
import msgspec
import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.cedar.rule import parse
from remit.adapters.policy.cedar.rule_groups import steady
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Outcome, weigh
from remit.core.flow.facts import Flow, FlowFacts
from remit.core.flow.justification import Justification, Provenance
from remit.core.label import Audience, Classes, Label
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool, Variant
from tests.samples.policy_requests import CLERK, PAY, READ, SUMMARISE, TOOLS, guardrails, request, source

ALL = '@id("all") permit (principal, action, resource);\n'
SENDS = msgspec.structs.replace(
    PAY,
    financial=False,
    arguments={"to": Argument(ArgumentRole.DESTINATION), "items[].id": Argument(ArgumentRole.SELECTOR)},
)


def facts(**changes: Any) -> Flow:
    """Return a flow with these facts."""
    return Flow(FlowFacts(**changes))


def asks(condition: str, asked: AccessRequest, tools: tuple[Tool, ...] = TOOLS) -> bool:
    """Whether a condition holds for a request."""
    text = ALL + f'@id("it") forbid (principal, action, resource) when {{ {condition} }};'
    answer = CedarPolicies().load(source(text), tools, [SUMMARISE], [CLERK]).evaluate(asked)
    assert not answer.errors, answer.errors
    return bool(answer.forbids)


@pytest.mark.parametrize(
    ("condition", "more"),
    [
        ('context.flow.destination == "untrusted"', {"flow": facts(destination="untrusted")}),
        ('context.destination_trust == "unknown"', {"flow": facts(destination="unknown")}),
        ("context.flow.tainted && !context.flow.asked", {"flow": facts(tainted=True)}),
        ('context.task_label.class == "internal"', {"label": Label(data_class="internal")}),
        ("context.crossings > context.max_crossings", {"crossings": 4, "max_crossings": 3}),
        (
            'context.provenance has path && context.provenance.path == "trusted"',
            {"flow": Flow(FlowFacts(), {"path": Justification(Provenance.TRUSTED)})},
        ),
    ],
)
def test_each_fact_can_be_read(condition: str, more: dict[str, Any]) -> None:
    """It holds where it is so, and not for a call of which nothing is known."""
    assert asks(condition, request(READ, **more))
    assert not asks(condition, request(READ))


def test_what_the_audience_may_learn_can_be_read() -> None:
    """Of the tool's audience, by the organisation's classes."""
    classes = Classes()
    level = classes.rank(classes.clearance["internal"])
    assert asks(f"context.sink_clearance.class_level == {level}", request(READ))
    assert asks('context.sink_clearance.class == "public"', request(PAY, {"to": "x", "amount": 1}))


def test_parts_of_arguments_have_a_provenance_of_their_own() -> None:
    """A part that the tool's file describes is named by its path."""
    flow = Flow(FlowFacts(), {"items[].id": Justification(Provenance.UNTRUSTED)})
    asked = request(SENDS, {"to": "x", "amount": 1}, flow=flow)
    condition = 'context.provenance has "items[].id" && context.provenance["items[].id"] == "untrusted"'
    assert asks(condition, asked, (SENDS,))


def test_a_fact_that_is_misspelt_is_found_before_it_is_needed() -> None:
    """`policy check` names the nearest; an argument that no tool has is named too."""
    engine = CedarPolicies()
    for wrong, near in (
        ("context.flow.destinaton", "destination"),
        ("context.sink_clearance.klass", "class"),
        ('(context.provenance has pat && context.provenance.pat == "x")', "path"),
    ):
        text = ALL + f'@id("it") forbid (principal, action, resource) when {{ {wrong} == "x" }};'
        if wrong.startswith("("):
            text = ALL + f'@id("it") forbid (principal, action, resource) when {{ {wrong} }};'
        (problem, *_) = engine.check(source(text), TOOLS, [SUMMARISE])
        assert (problem.severity, near in problem.remediation) == ("error", True), problem


def test_the_schema_lists_the_facts() -> None:
    """Each fact of the flow stands in the generated schema, with its type."""
    schema = CedarPolicies().schema(TOOLS, [SUMMARISE])
    (line,) = [one for one in schema.splitlines() if one.startswith("type Flow =")]
    for field in msgspec.structs.fields(FlowFacts):
        assert f"{field.name}: {'Bool' if field.type is bool else 'String'}" in line
    assert 'provenance: { amount?: String, tags?: String, "to"?: String }'.replace('"to"', "to") in schema


def test_every_guardrail_is_steady() -> None:
    """None of the default rules is evaluated again for a call that changes nothing."""
    rules, problems = parse(guardrails())
    assert not problems
    assert [rule.ref.id for rule in rules if not steady(rule)] == []
    assert all(rule.remediation and rule.reason for rule in rules if not rule.permits)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the evaluations that Cedar makes."""
    made: list[int] = []
    evaluate = cedarpy.is_authorized

    def is_authorized(*args: Any) -> Any:
        made.append(1)
        return evaluate(*args)

    monkeypatch.setattr(cedarpy, "is_authorized", is_authorized)
    return made


def test_calls_with_other_arguments_and_the_same_facts_are_not_evaluated_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two facts in turn cost one evaluation each, however many calls there are."""
    made = counted(monkeypatch)
    policy = CedarPolicies().load(guardrails(), TOOLS, [SUMMARISE], [CLERK])
    for number in range(10):
        for flow in (
            facts(destination="intent", destination_reached=True),
            facts(destination="untrusted"),
        ):
            policy.evaluate(request(PAY, {"to": f"x{number}", "amount": number}, flow=flow))
    # One that refuses is not asked again for its permits: nothing about it can be waived.
    assert len(made) == 2


def test_variants_of_a_tool_do_not_drive_each_other_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that alternate between two effects and audiences are prepared and evaluated once each."""
    tool = msgspec.structs.replace(
        READ, variants=(Variant({}, effect=Effect.IRREVERSIBLE, audience=Audience("external")),)
    )
    policy = CedarPolicies().load(guardrails(), (tool,), [SUMMARISE], [CLERK])
    made = counted(monkeypatch)
    for _ in range(5):
        # As `called_with` does, each call brings a separate object.
        for called in (msgspec.structs.replace(tool), tool.called_with({"path": "x"})):
            policy.evaluate(request(called))
    assert len(made) == 2


def test_a_variant_is_decided_by_the_rules_of_its_own_effect() -> None:
    """A rule about irreversible effects speaks of a call that is one, whatever the tool is by itself."""
    tool = msgspec.structs.replace(READ, variants=(Variant({}, effect=Effect.IRREVERSIBLE),))
    head = '@id("it") forbid (principal, action in Action::"effect:irreversible", resource)'
    text = f"{ALL}{head} when {{ context.args has path }};"
    engine = CedarPolicies()
    assert not engine.check(source(text), (tool,), [SUMMARISE])
    policy = engine.load(source(text), (tool,), [SUMMARISE], [CLERK])
    assert policy.evaluate(request(tool)).permits
    assert policy.evaluate(request(tool.called_with({"path": "x"}))).forbids


def test_an_answer_names_what_its_rules_read_of_the_flow() -> None:
    """Of the rules that decide: where one forbids for good, those that would ask are left out."""
    policy = CedarPolicies().load(guardrails(), (SENDS,), [SUMMARISE], [CLERK])
    refused = policy.evaluate(request(SENDS, flow=facts(destination="untrusted", tainted=True, asked=True)))
    assert {rule for rule, _ in refused.flow} == {"flow/destination"}
    assert ("flow/destination", "destination") in refused.flow
    asked = policy.evaluate(request(SENDS, flow=facts(destination="unknown")))
    assert weigh(asked, frozenset())[0] is Outcome.DEFER
    assert {rule for rule, _ in asked.flow} == {"flow/ask-destination"}


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        ({"destination": "intent", "destination_reached": True}, Outcome.PERMIT),
        (
            {"destination": "trusted", "destination_reached": True, "tainted": True, "asked": True},
            Outcome.PERMIT,
        ),
        ({"destination": "trusted", "tainted": True, "asked": True}, Outcome.DEFER),
        ({"destination": "trusted"}, Outcome.PERMIT),
        ({"destination": "untrusted"}, Outcome.DENY),
        (
            {"destination": "untrusted", "destination_pointed": True, "tainted": True, "asked": True},
            Outcome.DEFER,
        ),
        ({"destination": "unknown"}, Outcome.DEFER),
        ({"destination": "unknown", "tainted": True}, Outcome.DENY),
        ({"destination": "unknown", "tainted": True, "asked": True}, Outcome.DENY),
        ({"destination": "unknown", "tainted": True, "asked": True, "unseen": True}, Outcome.DEFER),
        (
            {"destination": "unknown", "destination_clean": True, "tainted": True, "asked": True},
            Outcome.DEFER,
        ),
        ({"destination": "untrusted", "destination_pointed": True, "tainted": True}, Outcome.DENY),
        ({"destination": "intent", "destination_reached": True, "spent": True}, Outcome.DENY),
        ({"destination": "unknown", "tainted": True, "asked": True, "full": True}, Outcome.DENY),
        ({"destination": "unknown", "full": True}, Outcome.DEFER),
        ({"code": "unknown", "tainted": True, "asked": True, "full": True}, Outcome.DENY),
        ({"selector": "trusted", "tainted": True, "asked": True}, Outcome.DEFER),
        ({"selector": "trusted", "tainted": True, "asked": True, "closed": True}, Outcome.DENY),
        ({"selector": "untrusted", "tainted": True, "asked": True}, Outcome.DENY),
        ({"selector": "untrusted", "selector_pointed": True, "tainted": True, "asked": True}, Outcome.DEFER),
        ({"selector": "trusted", "selector_reached": True, "tainted": True, "asked": True}, Outcome.PERMIT),
        ({"selector": "unknown"}, Outcome.PERMIT),
        ({"personal": "unknown", "selector": "unknown"}, Outcome.DENY),
        ({"personal": "trusted", "personal_reached": True, "selector": "trusted"}, Outcome.PERMIT),
        ({"code": "untrusted"}, Outcome.DENY),
        ({"code": "unknown", "tainted": True, "asked": True}, Outcome.DEFER),
        ({"code": "unknown"}, Outcome.PERMIT),
        ({"secret": "trusted"}, Outcome.DENY),
        ({"secret": "intent", "secret_reached": True}, Outcome.PERMIT),
        ({"secret": "untrusted", "secret_code": True, "secret_proven": True, "asked": True}, Outcome.PERMIT),
        ({"secret": "untrusted", "secret_code": True, "asked": True}, Outcome.DEFER),
        ({"secret": "untrusted", "secret_code": True, "secret_proven": True}, Outcome.DENY),
        (
            {
                "secret": "trusted",
                "secret_code": True,
                "secret_proven": True,
                "asked": True,
                "plan": "unplanned",
            },
            Outcome.DENY,
        ),
        ({"discloses_code": True, "asked": True}, Outcome.DENY),
        ({"tainted": True}, Outcome.DENY),
        ({"tainted": True, "anchored": True}, Outcome.DENY),
        ({"tainted": True, "delegated": True}, Outcome.DENY),
        ({"tainted": True, "delegated": True, "destination": "intent", "anchored": True}, Outcome.DENY),
        (
            {
                "tainted": True,
                "delegated": True,
                "handed": True,
                "destination": "intent",
                "destination_reached": True,
                "anchored": True,
            },
            Outcome.PERMIT,
        ),
        ({"tainted": True, "asked": True}, Outcome.PERMIT),
        ({"tainted": True, "plan": "planned"}, Outcome.PERMIT),
        ({"tainted": True, "plan": "unplanned", "asked": True}, Outcome.DENY),
        (
            {
                "tainted": True,
                "plan": "unplanned",
                "asked": True,
                "destination_reached": True,
                "selector_reached": True,
            },
            Outcome.DEFER,
        ),
        ({"tainted": True, "plan": "unplanned"}, Outcome.DENY),
        ({"plan": "unplanned"}, Outcome.DENY),
    ],
)
def test_the_guardrails_of_flow(flow: dict[str, Any], expected: Outcome) -> None:
    """Who and where come from the person; what is clearly not theirs is refused; a doubt is a question."""
    policy = CedarPolicies().load(guardrails(), (SENDS,), [SUMMARISE], [CLERK])
    answer = policy.evaluate(request(SENDS, {"to": "x", "amount": 1}, flow=facts(**flow)))
    assert weigh(answer, frozenset())[0] is expected, answer


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        ({"destination": "intent", "destination_reached": True}, Outcome.PERMIT),
        ({"destination": "trusted"}, Outcome.DEFER),
        ({"destination": "intent", "destination_reached": True, "crossed": True}, Outcome.PERMIT),
        (
            {"destination": "intent", "destination_reached": True, "crossed": True, "content": "untrusted"},
            Outcome.DEFER,
        ),
        ({"selector": "intent", "selector_reached": True}, Outcome.PERMIT),
        ({"selector": "intent", "selector_reached": True, "destination": "trusted"}, Outcome.DEFER),
        ({}, Outcome.DEFER),
    ],
)
def test_money_goes_where_the_person_said(flow: dict[str, Any], expected: Outcome) -> None:
    """A payee that is stated, or reached through what is, is not asked about; any other one is."""
    policy = CedarPolicies().load(guardrails(), TOOLS, [SUMMARISE], [CLERK])
    answer = policy.evaluate(request(PAY, {"to": "x", "amount": 1}, flow=facts(**flow)))
    assert weigh(answer, frozenset())[0] is expected


def test_reads_inside_the_house_are_free_after_untrusted_data() -> None:
    """A look-up of which no one outside learns needs no plan and no approval."""
    policy = CedarPolicies().load(guardrails(), TOOLS, [SUMMARISE], [CLERK])
    for flow in (facts(tainted=True), facts(tainted=True, selector="untrusted")):
        assert weigh(policy.evaluate(request(READ, flow=flow)), frozenset())[0] is Outcome.PERMIT


def test_a_read_outside_the_plan_is_refused_after_untrusted_data() -> None:
    """No approver is asked call by call: the plan is extended, or the read is not made."""
    policy = CedarPolicies().load(guardrails(), TOOLS, [SUMMARISE], [CLERK])
    answer = policy.evaluate(request(READ, flow=facts(tainted=True, asked=True, plan="unplanned")))
    assert weigh(answer, frozenset())[0] is Outcome.DENY
    assert "extended" in answer.reasons[0].remediation
