# SPDX-License-Identifier: Apache-2.0
"""The author of a policy learns what is wrong with it, where, and the remediation."""

from __future__ import annotations

import cedarpy
import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.cedar.check import PART, SUGGESTED, CheckInput, Shapes
from remit.adapters.policy.cedar.rule import parse
from remit.adapters.policy.types import Kind, Shape
from remit.core.label import Classes
from remit.core.tasks.task import Parameter, TaskType
from remit.core.tools.tool import Effect, Tool, undescribed
from remit.ports.policy import PolicySource, Problem
from tests.samples.policy_requests import CLERK, STRING, SUMMARISE, TOOLS, guardrails, source, tool

ENGINE = CedarPolicies()


def check(text: str, *tools: Tool) -> list[Problem]:
    """What is wrong with one file."""
    return ENGINE.check(source(text), tools or TOOLS, [SUMMARISE], [CLERK])


ASKS = '@otherwise("approval")'
READ = 'action == Action::"contracts/read", resource'


@pytest.mark.parametrize(
    ("text", "severity", "says", "remediation"),
    [
        ("permit (principal, action);", "error", "not a Cedar policy", "docs"),
        ("permit (principal == ?principal, action, resource);", "error", "template", "one policy per"),
        ('@id("b\u0430se") permit (principal, action, resource);', "error", "characters", "ASCII"),
        ('@id("a b") permit (principal, action, resource);', "error", "characters", "ASCII"),
        ('@id("") permit (principal, action, resource);', "error", "characters", "ASCII"),
        ('@reson("x") forbid (principal, action, resource);', "warning", "`@reson`", "`reason`"),
        ('@otherwise("approval") permit (principal, action, resource);', "error", "`@otherwise`", "approval"),
        ('@otherwise("aproval") forbid (principal, action, resource);', "error", "`@otherwise`", "approval"),
        ('@bounded("10") forbid (principal, action, resource);', "error", "`@bounded`", "@otherwise"),
        (f'{ASKS} @bounded("1") forbid (principal, action, resource);', "error", "2 to 100", "@bounded"),
        (f'{ASKS} @bounded("101") forbid (principal, action, resource);', "error", "2 to 100", "@bounded"),
        (f'{ASKS} @bounded("all") forbid (principal, action, resource);', "error", "2 to 100", "@bounded"),
        (f"{ASKS} @bounded forbid (principal, action, resource);", "error", "2 to 100", "@bounded"),
        (f'{ASKS} @bounded("\u0661\u0660") forbid (principal, action, resource);', "error", "2 to 100", "10"),
        (f'{ASKS} @bounded_high_risk("") forbid (principal, action, resource);', "error", "high_risk", "10"),
        (f'forbid (principal, {READ}) when {{ context.args.pth == "" }};', "error", "`pth`", "`path`"),
        (f"forbid (principal, {READ}) when {{ context.args has pth }};", "error", "`pth`", "`path`"),
        (f"forbid (principal, {READ}) when {{ context.args.lines > 1 }};", "error", "optional", "has lines"),
        (
            'forbid (principal, action, resource) when { context.args.path == "" };',
            "error",
            "path",
            "has path",
        ),
        (
            f"forbid (principal, {READ}) when {{ context.args.path == 3 }};",
            "error",
            "not compatible",
            "schema",
        ),
        (
            f"forbid (principal, {READ}) when {{ context.lable.untrusted }};",
            "error",
            "context.lable",
            "`label`",
        ),
        (
            f"forbid (principal, {READ}) when {{ context.task.params has cntract }};",
            "error",
            "cntract",
            "contract",
        ),
        (f'forbid (principal, {READ}) when {{ principal.onwer == "" }};', "error", "onwer", "schema"),
        (
            'forbid (principal, action == Action::"contracts/reed", resource);',
            "error",
            "contracts/reed",
            "read`",
        ),
        (
            'forbid (principal, action == Action::"contr\u0430cts/read", resource);',
            "error",
            "does not exist",
            "`contracts/read`",
        ),
        (
            'forbid (principal, action, resource == Tool::"bank/pax");',
            "error",
            "tool `bank/pax` does not exist",
            "`bank/pay`",
        ),
        (
            'forbid (principal, action, resource in Upstream::"bnk");',
            "error",
            "upstream `bnk`",
            "`bank`",
        ),
        (
            'forbid (principal in Group::"legl", action, resource);',
            "warning",
            "group `legl`",
            "`legal`",
        ),
        ('forbid (principal == Agent::"clark", action, resource);', "warning", "`clark`", "`clerk`"),
        ("forbid (principal is Agnt, action, resource);", "error", "Agnt", ""),
        (
            'forbid (principal, action, resource) when { Agent::"clerk" in Group::"legal" };',
            "error",
            "is not part of the call",
            "`principal`",
        ),
        (
            'forbid (principal, action, resource) when { Tool::"bank/pay".production };',
            "error",
            "is not part of the call",
            "`resource`",
        ),
        (
            'forbid (principal, action == Action::"bank/pay", resource == Tool::"contracts/read");',
            "warning",
            "no registered tool",
            "compare",
        ),
    ],
)
def test_each_mistake_is_named(text: str, severity: str, says: str, remediation: str) -> None:
    """A mistake gives one problem with its severity, place and remediation."""
    (problem,) = check("\n" + text)
    assert problem.severity == severity
    assert says in problem.text
    assert remediation in problem.remediation
    assert (problem.file, problem.line) == ("policies/test.cedar", 2)


def test_a_rule_without_id_has_a_stable_one() -> None:
    """The derived id comes from the file and the place in it."""
    sources = [PolicySource("policies/a.cedar", "permit (principal, action, resource);\n" * 2)]
    assert [rule[0] for rule in ENGINE.load(sources, TOOLS, [], []).rules()] == ["a#1", "a#2"]


def test_an_effect_that_no_tool_has_yet_is_no_mistake() -> None:
    """Guardrails for groups of actions are sound before the first such tool is registered."""
    assert not ENGINE.check(guardrails(), [], [])
    assert not ENGINE.check(guardrails(), TOOLS, [SUMMARISE], [CLERK])


def test_an_argument_that_cedar_cannot_express_is_said_so() -> None:
    """The check says why a policy cannot read it, and the schema lists it."""
    odd = tool("odd", "one", {"mixed": {"type": ["string", "integer"]}, "a\nb": {}})
    (problem,) = check(
        'forbid (principal, action == Action::"odd/one", resource) when { context.args has mixed };', odd
    )
    assert "policies cannot read `context.args.mixed`: it is of several types" in problem.text
    schema = ENGINE.schema([odd], [])
    assert '// not readable by policies: args."mixed", of several types\n' in schema
    assert '// not readable by policies: args."a\\nb", takes anything\n' in schema


def test_a_tool_whose_arguments_are_unknown_is_a_warning() -> None:
    """Before its upstream was seen, what a tool takes cannot be checked."""
    unseen = undescribed("later", "tool", Classes())
    text = 'forbid (principal, action == Action::"later/tool", resource) when { context.args has x };'
    (problem,) = check(text, unseen)
    assert (problem.severity, "not known yet" in problem.text) == ("warning", True)


def test_two_tools_of_one_name_are_an_error() -> None:
    """Which of them a policy means would be a guess."""
    (problem,) = check("permit (principal, action, resource);", *TOOLS, TOOLS[0])
    assert "contracts/read" in problem.text


def test_no_name_breaks_out_of_the_schema() -> None:
    """Upstreams, tools, arguments and parameters with any characters leave the schema readable, each as one
    name.
    """
    evil = '"; entity Evil; //\n\\ entity Evil;\u2028\x00'
    tools = [tool(evil, evil, {evil: STRING, "in": STRING, "__entity": STRING}, effect=Effect.NONE)]
    task_type = TaskType(name="t", purpose=evil, run_by=(), requested_by=(), parameters={evil: Parameter()})
    schema = str(cedarpy.Schema.from_str(ENGINE.schema(tools, [task_type])))
    assert "entity Evil;" not in [line.strip() for line in schema.splitlines()]


def test_parameters_of_two_types_are_left_out() -> None:
    """A name that two task types use differently has no type for policies."""
    other = TaskType(
        name="o", purpose="", run_by=(), requested_by=(), parameters={"pages": Parameter(type="string")}
    )
    schema = ENGINE.schema(TOOLS, [SUMMARISE, other])
    assert '// not readable by policies: task.params."pages", of several types' in schema
    assert "type Params = { contract?: String };" in schema


def test_tools_that_no_rule_tells_apart_are_typed_once() -> None:
    """What Cedar has to look at grows with the kinds of tools, not with the tools."""
    rules, _ = parse(source(WIDE))
    many = [tool("files", f"t{one}", {"path": STRING, f"own{one}": STRING}) for one in range(400)]
    other = [tool("files", "odd", {"path": {"type": "integer"}}), tool("contracts", "read", {"path": STRING})]
    world = CheckInput([*many, *other], Shape(Kind.RECORD), Classes())
    ((part, tools),) = Shapes(world).parts(rules)
    assert sorted(rule.ref.id for rule in part) == sorted(rule.ref.id for rule in rules)
    assert [one.name for one in tools] == ["t0", "odd", "read"]


def test_a_rule_about_one_tool_is_typed_for_few() -> None:
    """The pairs of a rule and a tool that Cedar looks at grow as the rules do, and not as their square."""
    for count in (100, 400):
        tools = [tool("files", f"t{one}", {f"own{one}": STRING}) for one in range(count)]
        rules, _ = parse(source("\n".join(OWN.format(one) for one in range(count))))
        parts = list(Shapes(CheckInput(tools, Shape(Kind.RECORD), Classes())).parts(rules))
        assert [rule for part, _ in parts for rule in part] == rules
        assert sum(len(part) * len(of) for part, of in parts) <= PART * count


def test_only_the_first_unknown_names_are_compared_with_all_names() -> None:
    """All are reported with a remedy; the search would take minutes where all tools were renamed."""
    problems = check("\n".join(OWN.format(one) for one in range(30)), tool("files", "t9x", {"path": STRING}))
    assert [problem.severity for problem in problems] == ["error"] * 30
    said = ["did you mean" in problem.remediation for problem in problems]
    assert said == [True] * SUGGESTED + [False] * (30 - SUGGESTED)
    assert all("remit policy schema" in one.remediation for one in problems[SUGGESTED:])


OWN = 'forbid (principal, action == Action::"files/t{0}", resource) when {{ context.args.own{0} == "x" }};'
WIDE = """
forbid (principal, action == Action::"contracts/read", resource);
forbid (principal, action, resource) when { context has args && context.args has path };
"""
