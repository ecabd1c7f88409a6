# SPDX-License-Identifier: Apache-2.0
"""A word that a fact can never be, a rule that never applies and a permit without bounds are found."""

from __future__ import annotations

import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.cedar.checks.checker_process import CheckerProcess
from remit.adapters.policy.cedar.checks.known_check import IncrementalCheck
from remit.core.label import Label
from remit.core.policy.vocabulary import DeclaredNames
from remit.core.tools.tool import Effect
from remit.ports.policy import Problem
from tests.samples.policy_requests import CLERK, STRING, SUMMARISE, TOOLS, guardrails, source, tool

LEVEL = tool(
    "pager", "page", {"level": {"type": "string", "enum": ["low", "high"]}}, effect=Effect.REVERSIBLE
)
SECRETS = tool("vault", "read", {"key": STRING}, label=Label(categories=frozenset({"credentials"})))
READ = 'action == Action::"contracts/read", resource'


def check(text: str, declared: DeclaredNames | None = None) -> list[Problem]:
    """The problems of one file."""
    tools = (*TOOLS, LEVEL, SECRETS)
    return CedarPolicies(declared=declared).check(source(text), tools, [SUMMARISE], [CLERK])


def forbid(condition: str, scope: str = READ) -> str:
    """A rule whose condition is on its second line."""
    return f"forbid (principal, {scope})\nwhen {{ {condition} }};"


@pytest.mark.parametrize(
    ("condition", "meant"),
    [
        ('context.audience == "extern"', "external"),
        ('"extern" == context.audience', "external"),
        ('context.audience != "extern"', "external"),
        ('resource.audience == "intern"', "internal"),
        ('context.effect == "reversable"', "reversible"),
        ('["operater", "autonomous"].contains(context.tier)', "operator"),
        ('context.assurance == "keybound"', "key-bound"),
        ('context.label.class == "confidental"', "confidential"),
        ('resource.data_class == "restrict"', "restricted"),
        ('context.sink_clearance.class == "publc"', "public"),
        ('context.flow.destination == "untrustd"', "untrusted"),
        ('context.destination_trust == "trust"', "trusted"),
        ('context.flow.plan != "unplaned"', "unplanned"),
        ('context.flow.adds == "effect"', "effects"),
        ('context.provenance has path && context.provenance.path == "untrustd"', "untrusted"),
        ('principal.state == "suspend"', "suspended"),
        ('resource.state == "chnged"', "changed"),
        ('resource.name == "reed"', "read"),
        ('resource.upstream == "contract"', "contracts"),
        ('if context.cleared then context.tier == "operater" else false', "operator"),
        ('!(context.task has params) || context["audience"] == "extern"', "external"),
    ],
)
def test_a_word_that_a_fact_can_never_be_is_an_error(condition: str, meant: str) -> None:
    """The rule would pass Cedar's validation and never apply: the line and the nearest word are given."""
    (problem,) = check(forbid(condition))
    assert (problem.severity, problem.line) == ("error", 2)
    assert problem.remediation == f"did you mean `{meant}`?"


@pytest.mark.parametrize(
    ("condition", "meant"),
    [
        ('context.label.categories.contains("credential")', "credentials"),
        ('principal.environment == "prodution"', "production"),
        ('context.task.type == "sumarise"', "summarise"),
        ('context.task.purpose == "legal-revew"', "legal-review"),
        ('context.arg_names.contains("pth")', "path"),
    ],
)
def test_a_word_near_a_known_one_is_a_warning_where_others_may_come(condition: str, meant: str) -> None:
    """Categories, environments and task types can be added later, so a strange word is not an error."""
    (problem,) = check(forbid(condition))
    assert (problem.severity, problem.remediation) == ("warning", f"did you mean `{meant}`?")
    assert check(forbid(condition.replace(condition.split('"')[1], "elsewhere"))) == []


def test_a_value_that_a_schema_does_not_list_is_a_warning() -> None:
    """A tool may accept more than its schema lists, and a rule may forbid exactly that."""
    scope = 'action == Action::"pager/page", resource'
    (problem,) = check(forbid('context.args has level && context.args.level == "hihg"', scope))
    assert (problem.severity, problem.remediation) == ("warning", "did you mean `high`?")


def test_zones_groups_and_audiences_are_those_of_the_configuration() -> None:
    """Without the configuration any zone may exist; with it, only the declared ones."""
    text = forbid('context.label.zones.contains("partnr") || context.audience == "group:legl"')
    declared = DeclaredNames(zones=("partner",), groups=("legal",))
    found = {problem.remediation: problem.severity for problem in check(text, declared)}
    assert found == {"did you mean `partner`?": "error", "did you mean `group:legal`?": "error"}
    assert check(text.replace("legl", "legal").replace("partnr", "partner"), declared) == []


@pytest.mark.parametrize(
    "condition",
    [
        'context.audience == "group:anyone"',
        'resource.name like "send*"',
        'resource.name != "read" && resource.name != "pay"',
        " && ".join(f'resource.upstream != "{one}"' for one in ("contracts", "changes", "bank", "vault")),
    ],
)
def test_what_tools_and_groups_that_come_can_be_is_not_judged(condition: str) -> None:
    """A rule for tools that are not registered yet is no mistake."""
    assert check(forbid(condition, 'action in Action::"call", resource')) == []


def test_a_pattern_that_fits_no_word_is_an_error() -> None:
    """`like` compares with words, too."""
    (problem,) = check(forbid('context.audience like "xte*"'), DeclaredNames())
    assert problem.text == "`context.audience` is never like `xte*`"
    assert check(forbid('context.audience like "ext*"')) == []


@pytest.mark.parametrize(
    ("condition", "about"),
    [
        ('context.effect == "none" && context.effect == "reversible"', "`context.effect`"),
        ('context.tier_level >= 2 && context.tier == "assistant"', "`context.tier`"),
        ("context.tier_level > 3", "`context.tier`"),
        ("context.assurance_level < 1", "`context.assurance`"),
        ('context.label.class_level >= 3 && context.task_label.class == "public"', "`context.label.class`"),
        ("context.crossings > 3 && context.crossings < 4", "`context.crossings`"),
        ("context.cleared && !context.cleared", "`context.cleared`"),
        ('resource.audience == "self" && !(context.audience == "self")', "`context.audience`"),
        ('!(context.flow.plan == "planned" || context.flow.plan != "planned")', "`context.flow.plan`"),
        ('["none", "reversible"].contains(context.effect) && context.effect == "irreversible"', "effect"),
        ("if context.cleared then context.tier_level > 3 else context.cleared", "`context.tier`"),
    ],
)
def test_a_rule_whose_conditions_never_hold_is_an_error(condition: str, about: str) -> None:
    """The author believes in a rule that no call can meet."""
    (problem,) = check(forbid(condition, 'action in Action::"call", resource'))
    assert (problem.severity, problem.text.startswith("this rule never applies")) == ("error", True)
    assert about in problem.text


@pytest.mark.parametrize(
    "condition",
    [
        "context.crossings > 3 || context.crossings < 4",
        'context.tier_level >= 2 && context.tier == "operator"',
        'context.args.path == "a" || context.args.path == "b"',
        "!(context.cleared && context.flow.tainted)",
        'context.assurance_level < 2 && context.assurance == "asserted"',
        "context.crossings > 1 && context.crossings < 3",
    ],
)
def test_conditions_that_can_hold_are_sound(condition: str) -> None:
    """The analysis reports only what it has proved."""
    assert check(forbid(condition)) == []


def test_a_rule_that_says_false_is_off_and_a_warning() -> None:
    """Its author knows that it never applies."""
    (problem,) = check(forbid("false"))
    assert (problem.severity, problem.text) == (
        "warning",
        "this rule never applies: its conditions never hold",
    )


def test_an_unless_that_always_holds_makes_a_rule_never_apply() -> None:
    """`unless` counts like `when` with its opposite."""
    text = f"forbid (principal, {READ})\nunless {{ context.tier_level < 4 }};"
    (problem,) = check(text)
    assert problem.text.startswith("this rule never applies")


def test_the_scope_of_a_rule_says_something_of_the_effect() -> None:
    """A scope of reversible calls contradicts a condition about reads."""
    (problem,) = check(forbid('context.effect == "none"', 'action in Action::"effect:reversible", resource'))
    assert (problem.severity, "`context.effect`" in problem.text) == ("error", True)


def test_a_rule_that_never_applies_to_its_tools_is_a_warning() -> None:
    """The description of the tool may change, and then the rule applies."""
    (problem,) = check(forbid('context.effect == "irreversible"'))
    assert problem.severity == "warning"
    assert "`contracts/read`" in problem.text


def test_a_permit_that_nothing_bounds_is_a_warning() -> None:
    """A rule for one group bounds nothing for all the others; one without conditions on who does."""
    permit = '@id("all") permit (principal, action, resource);\n'
    narrow = 'forbid (principal in Group::"legal", action, resource) when { !context.cleared };'
    wide = "forbid (principal is Agent, action, resource) when { !context.cleared };"
    (problem,) = check(permit + narrow)
    assert (problem.severity, problem.rule) == ("warning", "all")
    assert "no rule bounds" in problem.text
    assert check(permit + wide) == []
    reads = 'permit (principal, action == Action::"contracts/read", resource);'
    assert check(reads) == []


def test_an_unknown_agent_or_group_is_a_warning_where_agents_are_known() -> None:
    """They may be registered later."""
    (problem,) = check(f'forbid (principal in Group::"legl", {READ});')
    assert (problem.severity, problem.remediation) == ("warning", "did you mean `legal`?")


def test_the_guardrails_are_sound_with_nothing_to_remark() -> None:
    """Also in the process that checks texts from outside, which gets less of each tool."""
    for engine in (CedarPolicies(), CedarPolicies(examine=IncrementalCheck(CheckerProcess()))):
        assert engine.check(guardrails(), TOOLS, [SUMMARISE], [CLERK]) == []


def test_the_other_process_knows_production_and_money_of_a_tool() -> None:
    """Otherwise a rule about payments would seem to apply to no payment."""
    text = forbid("resource.financial", 'action == Action::"bank/pay", resource')
    apart = CedarPolicies(check=IncrementalCheck(CheckerProcess()))
    assert apart.check(source(text), TOOLS, [SUMMARISE]) == []
