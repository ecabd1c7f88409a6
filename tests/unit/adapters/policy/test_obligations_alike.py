# SPDX-License-Identifier: Apache-2.0
"""Rules name obligations in Cedar and in Rego alike; one that is not understood is an error of the bundle."""

from __future__ import annotations

import functools

import msgspec
import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.rego import RegoPolicies
from remit.core.decisions.approvers import ApproverDemand
from remit.core.decisions.decision import Outcome, PolicyAnswer, weigh
from remit.core.label import Label, Trust
from remit.core.tools.tool import FieldLabel, Tool
from remit.ports.policy import PolicyEngine
from tests.samples.decision_vectors import without_digests
from tests.samples.obligations import cedar, rego
from tests.samples.policy_requests import CLERK, DEPLOY, DRAFT, PAY, READ, SUMMARISE, TOOLS, request, source
from tests.servers import opa_server

loaded = functools.cache(lambda: (cedar(), rego()))
ARGUMENTS = {READ.id: {"path": "C-42"}, DRAFT.id: {}, DEPLOY.id: {}, PAY.id: {}}


def answer(tool: Tool, *, untrusted: bool = False, crossings: int = 0) -> PolicyAnswer:
    """The answer to a call, which is the same in both languages but for the digests."""
    label = Label(trust=Trust.UNTRUSTED if untrusted else Trust.TRUSTED)
    asked = request(tool, ARGUMENTS[tool.id], label=label, crossings=crossings)
    one, other = (without_digests(policy.evaluate(asked)) for policy in loaded())
    assert one == other
    assert not one.errors
    return one


@pytest.mark.parametrize(
    ("tool", "obligations"),
    [
        (READ, ("notify:security", "redact:account.number", "redact:iban")),
        (DRAFT, ("custom:watermark", "require_reason")),
        (DEPLOY, ("redact:token", "step_up")),
        (PAY, ()),
    ],
)
def test_the_obligations_of_every_permitting_rule_count(tool: Tool, obligations: tuple[str, ...]) -> None:
    """A permit beside it takes none of them away, and an approval neither."""
    assert answer(tool).obligations == obligations
    assert answer(tool, untrusted=True).obligations == obligations
    assert answer(tool, crossings=4).obligations == ()


def test_a_step_up_waits_for_a_person() -> None:
    """The permitting rule itself asks, beside every rule that asks anyway."""
    for untrusted, asking in ((False, ["deploys"]), (True, ["asks", "deploys"])):
        found = answer(DEPLOY, untrusted=untrusted)
        outcome, rules = weigh(found, frozenset())
        assert (outcome, [rule.id for rule in rules]) == (Outcome.DEFER, asking)
        assert weigh(found, frozenset(rules[:-1]))[0] is Outcome.DEFER
        assert weigh(found, frozenset(rules))[0] is Outcome.PERMIT
    assert weigh(answer(DEPLOY, crossings=4), frozenset())[0] is Outcome.DENY


def test_the_people_of_every_rule_that_asks_count() -> None:
    """Of a forbid and of a permit that steps up; a number that another demand implies is left out."""
    owners, three = ApproverDemand("owners", 2), ApproverDemand("", 3)
    assert answer(DEPLOY).approvers == (three,)
    assert answer(READ, untrusted=True).approvers == (owners,)
    assert answer(DEPLOY, untrusted=True).approvers == (three, owners)
    assert answer(READ).approvers == answer(DEPLOY, crossings=4).approvers == ()


@pytest.mark.parametrize(
    ("notes", "effect"),
    [
        ('@approvers("2")', "permit"),
        ('@approvers("2")', "forbid"),
        ('@step_up @approvers("0")', "permit"),
        ('@step_up @approvers("11")', "permit"),
        ('@otherwise("approval") @approvers("two")', "forbid"),
        ('@otherwise("approval") @approver_group("")', "forbid"),
        ('@otherwise("approval") @approver_group("a, b")', "forbid"),
        ('@otherwise("approval") @approver_group', "forbid"),
        ('@approver_group("owners")', "forbid"),
        ('@redact("")', "permit"),
        ('@redact("a,,b")', "permit"),
        ('@redact("iban")', "forbid"),
        ('@notify("Security Team")', "permit"),
        ('@step_up("sometimes")', "permit"),
        ("@step_up", "forbid"),
        ("@require_reason", "forbid"),
        ('@obligation("a:b")', "permit"),
    ],
)
def test_an_obligation_that_says_nothing_is_an_error(notes: str, effect: str) -> None:
    """So is one of a rule that forbids; the bundle does not come into force."""
    text = f'@id("x") {notes} {effect} (principal, action, resource);'
    found = CedarPolicies().check(source(text), TOOLS, [SUMMARISE], [CLERK])
    assert "error" in [one.severity for one in found]


@pytest.mark.parametrize(
    ("notes", "effect"),
    [
        ("approvers: 2", "permit"),
        ("approver_group: owners", "forbid"),
        ("step_up: true\n#   approvers: [2]", "permit"),
        ("otherwise: approval\n#   approver_group: 7", "forbid"),
        ("redact: ''", "permit"),
        ("redact: [iban]", "permit"),
        ("redact: iban", "forbid"),
        ("step_up: sometimes", "permit"),
        ("step_up: false", "permit"),
        ("require_reason: true", "forbid"),
        ("notify: 7", "permit"),
    ],
)
def test_the_same_is_an_error_in_rego(notes: str, effect: str) -> None:
    """In the annotations of a rule."""
    text = f'package remit\n\n# METADATA\n# custom:\n#   {notes}\n{effect} contains "x"\n'
    engine = RegoPolicies(program=opa_server.program())
    found = engine.check(source(text, "policies/test.rego"), TOOLS, [SUMMARISE], [CLERK])
    assert "error" in [one.severity for one in found]


def unknown_field_is_a_warning(engine: PolicyEngine, text: str, file: str) -> None:
    """Its calls would be refused: a check says so, and is silent where the field is described."""
    described = msgspec.structs.replace(READ, fields=(FieldLabel("iban", Label()),))
    (problem,) = engine.check(source(text, file), [READ], [SUMMARISE], [CLERK])
    assert problem.severity == "warning"
    assert "calls of `contracts/read` are refused: no field `iban`" in problem.text
    assert engine.check(source(text, file), [described], [SUMMARISE], [CLERK]) == []


def test_a_field_that_no_tool_describes_is_a_warning() -> None:
    """Only while no tool describes it."""
    text = '@id("x") @redact("iban") permit (principal, action == Action::"contracts/read", resource);'
    unknown_field_is_a_warning(CedarPolicies(), text, "policies/x.cedar")


def test_a_field_that_no_tool_describes_is_a_warning_in_rego() -> None:
    """Only while no tool describes it."""
    text = (
        "package remit\n\n# METADATA\n# custom:\n#   redact: iban\n"
        'permit contains "x" if input.action.id == "contracts/read"\n'
    )
    unknown_field_is_a_warning(RegoPolicies(program=opa_server.program()), text, "policies/x.rego")
