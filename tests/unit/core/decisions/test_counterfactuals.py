# SPDX-License-Identifier: Apache-2.0
"""Single changes of a call, decided again by the default guardrails of both languages."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.rego import RegoPolicies
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.counterfactuals import MAX_VALUES, Counterfactual, counterfactuals, not_tried
from remit.core.flow.facts import Flow, FlowFacts
from remit.core.flow.justification import Justification, Provenance
from remit.core.identity.workload import Assurance
from remit.core.label import Classes, Label
from remit.core.tools.tool import Argument, ArgumentRole, Tool
from remit.ports.policy import LoadedPolicy
from tests.samples.policy_requests import (
    CLERK,
    PAY,
    READ,
    SUMMARISE,
    TOOLS,
    guardrails,
    rego_guardrails,
    request,
)
from tests.servers import opa_server

Json = Any
PAYING = msgspec.structs.replace(
    PAY,
    arguments={"to": Argument(ArgumentRole.DESTINATION), "amount": Argument(ArgumentRole.AMOUNT)},
)
RECORD = msgspec.structs.replace(READ, arguments={"path": Argument(ArgumentRole.SELECTOR, personal=True)})
TO_BOB = {"to": "bob", "amount": 5}


@pytest.fixture(scope="module", params=["cedar", "rego"])
def policy(request: pytest.FixtureRequest) -> LoadedPolicy:
    """The default guardrails."""
    tools = [PAYING if one is PAY else RECORD if one is READ else one for one in TOOLS]
    if request.param == "cedar":
        return CedarPolicies().load(guardrails(), tools, [SUMMARISE], [CLERK])
    engine = RegoPolicies(program=opa_server.program())
    loaded = engine.load(rego_guardrails(), tools, [SUMMARISE], [CLERK])
    assert not loaded.served
    return loaded


def call(of: Tool, arguments: dict[str, Json], origin: str = "", **more: Json) -> AccessRequest:
    """A call with facts of its flow; `origin` is that of all arguments."""
    facts = {name: more.pop(name) for name in FlowFacts.__struct_fields__ if name in more}
    known = dict.fromkeys(arguments, Justification(Provenance(origin))) if origin else {}
    return request(of, arguments, flow=Flow(FlowFacts(**facts), known), **more)


def refuses(policy: LoadedPolicy, asked: AccessRequest, rule: str) -> bool:
    """Whether a rule speaks against a call."""
    answer = policy.evaluate(asked)
    assert not answer.errors, answer
    return rule in {one.id for one in (*answer.forbids, *answer.waivable)}


def lifting(policy: LoadedPolicy, asked: AccessRequest, rule: str) -> list[Counterfactual]:
    """The changes under which a rule that speaks against a call does not any more."""
    assert refuses(policy, asked, rule)
    one = next(each for each in policy.rules() if each.id == rule)
    changes = counterfactuals(asked, frozenset(one.reads), one.compared, classes=Classes())
    return [each for each in changes if not refuses(policy, each.request, rule)]


def words(found: list[Counterfactual]) -> set[tuple[str, str]]:
    """Kinds and words of changes."""
    return {(one.kind, one.words) for one in found}


def test_a_recipient_that_the_person_would_have_stated_is_not_refused(policy: LoadedPolicy) -> None:
    """Nor would it be in a task that has read nothing untrusted."""
    asked = call(PAYING, TO_BOB, "untrusted", destination="untrusted", amount="intent", tainted=True)
    found = words(lifting(policy, asked, "flow/destination"))
    assert ("statement", "the person stated `to`") in found
    assert ("data", "the task had read no data that others may have written") in found


def test_a_record_that_a_look_up_would_have_reached_is_not_refused(policy: LoadedPolicy) -> None:
    """A person's record, named by a number from nowhere."""
    asked = call(RECORD, {"path": "C-42"}, "unknown", personal="unknown", selector="unknown")
    found = words(lifting(policy, asked, "flow/personal"))
    assert ("lookup", "a look-up by the task's own parameters had found `path`") in found
    assert ("statement", "the person stated `path`") in found


def test_a_tool_that_the_plan_would_have_named_is_not_refused(policy: LoadedPolicy) -> None:
    """Each rule about the plan is lifted by it."""
    asked = call(PAYING, TO_BOB, "intent", destination="intent", plan="unplanned", asked=True)
    refusing = {one.id for one in policy.evaluate(asked).forbids if one.id.startswith("plan/")}
    for rule in sorted(refusing):
        found = words(lifting(policy, asked, rule))
        assert ("plan", "the task's plan named `bank/pay`") in found
    assert refusing


def test_data_that_the_audience_may_not_learn_names_the_class_that_it_may(policy: LoadedPolicy) -> None:
    """The highest such class comes first."""
    asked = call(PAYING, TO_BOB, "intent", destination="intent", label=Label("restricted"), cleared=False)
    rule = next(one.id for one in policy.evaluate(asked).forbids if one.id.startswith("data/"))
    (first, *_) = [one for one in lifting(policy, asked, rule) if one.about == "class"]
    assert first.words == "the task carried no data above class `public`"


def test_an_identity_that_is_too_weak_names_the_assurance_that_is_enough(policy: LoadedPolicy) -> None:
    """For a call that moves money."""
    asked = call(PAYING, TO_BOB, "intent", destination="intent", assurance=Assurance.ASSERTED)
    spoken = policy.evaluate(asked)
    found = [
        words(lifting(policy, asked, one.id))
        for one in (*spoken.forbids, *spoken.waivable)
        if one.id.startswith("identity/")
    ]
    assert any(
        ("identity", f"the agent proved its identity with assurance {Assurance.KEY_BOUND.word}") in one
        for one in found
    ), found


def test_the_values_that_are_tried_are_those_of_rules_schema_and_task() -> None:
    """The nearest number first, and never the value itself; a bounded number of them."""
    numbers = [("context.args.amount", 10 * number) for number in range(30)]
    asked = request(PAYING, {"to": "bob", "amount": 7}, params={"pages": 3})
    found = list(counterfactuals(asked, frozenset({"context.args.amount"}), numbers, classes=Classes()))
    assert len(found) == MAX_VALUES
    assert found[0].request.arguments["amount"] in (9, 3, 11)
    assert all(one.request.arguments["amount"] != 7 for one in found)
    assert all(one.about == "amount" for one in found)


def test_what_no_rule_reads_is_not_changed() -> None:
    """And the facts that cannot be changed are named."""
    assert list(counterfactuals(request(), frozenset({"resource.financial"}), (), classes=Classes())) == []
    assert not_tried(frozenset({"context.now", "context.args.path", "principal.groups", "action.id"})) == (
        "context.now",
        "principal.groups",
    )
