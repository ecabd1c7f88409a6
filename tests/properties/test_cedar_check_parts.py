# SPDX-License-Identifier: Apache-2.0
"""The check of rules in parts finds what a check of every rule against every tool finds."""

from __future__ import annotations

import re
from collections.abc import Sequence

import cedarpy
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.policy.cedar.check import CheckInput, Shapes
from remit.adapters.policy.cedar.index import RuleIndex, action_closure, resource_closure
from remit.adapters.policy.cedar.rule import CedarRule, parse
from remit.adapters.policy.cedar.schema import forms, schema_text
from remit.adapters.policy.facts import parameters
from remit.core.label import Classes
from remit.core.tools.tool import Effect, Tool, Variant
from tests.examples import FEWER
from tests.samples.policy_requests import STRING, source, tool

PARAMS = parameters([])
#: Names that recur, so that tools share some arguments, and types that a rule fits for some tools only.
PROPERTIES = {"path": STRING, "size": {"type": "integer"}, "tags": {"type": "array", "items": STRING}}
OTHER_TYPE = {"path": {"type": "integer"}, "size": STRING, "tags": STRING}
COUNT = 40

actions = st.one_of(
    st.sampled_from(
        ["action", 'action in Action::"call"', 'action in Action::"effect:none"', "action in []"]
    ),
    st.integers(0, COUNT - 1).map(lambda one: f'action == Action::"work/t{one}"'),
    st.integers(0, COUNT - 2).map(
        lambda one: f'action in [Action::"work/t{one}", Action::"work/t{one + 1}"]'
    ),
    st.integers(0, COUNT - 1).map(
        lambda one: f'action in [Action::"work/t{one}", Action::"effect:irreversible"]'
    ),
)
resources = st.one_of(
    st.sampled_from(["resource", 'resource in Upstream::"work"', "resource is Tool", "resource is Agent"]),
    st.integers(0, COUNT - 1).map(lambda one: f'resource == Tool::"work/t{one}"'),
)
conditions = st.one_of(
    st.sampled_from(
        [
            "context.crossings > 3",
            'context.args.path == "x"',
            'context.args has path && context.args.path == "x"',
            "context.args.size > 3",
            'context.args has tags && context.args.tags.contains("x")',
            "context.args == context.args",
            "context == context",
            "context.args has path",
            'context.provenance.path == "trusted"',
            'context.provenance has size && context.provenance.size like "*t"',
            "context.crossings == context.args",
        ]
    ),
    st.integers(0, COUNT - 1).map(lambda one: f'action == Action::"work/t{one}" && context.args.size > 3'),
    st.integers(0, COUNT - 1).map(
        lambda one: f'action in Action::"work/t{one}" || context.args.path like "x"'
    ),
    st.integers(0, COUNT - 1).map(lambda one: f"context.args.own{one} > 3"),
    st.integers(0, COUNT - 1).map(lambda one: f"context.args has own{one} && context.args.own{one} > 3"),
)


Kind = tuple[set[str], bool, Effect, str]
kinds = st.tuples(
    st.sets(st.sampled_from(sorted(PROPERTIES))),
    st.booleans(),
    st.sampled_from(list(Effect)),
    st.sampled_from(["own", "", "unknown", "varies"]),
)
#: A few kinds of tools, and the kind of each tool.
sorts = st.tuples(
    st.lists(kinds, min_size=6, max_size=6), st.lists(st.integers(0, 5), min_size=COUNT, max_size=COUNT)
)


def tools(drawn: tuple[list[Kind], list[int]]) -> list[Tool]:
    """Return tools of a few kinds: some in two forms, some whose arguments are not known."""
    return [_tool(number, *drawn[0][kind]) for number, kind in enumerate(drawn[1])]


def _tool(number: int, names: set[str], other: bool, effect: Effect, more: str) -> Tool:
    properties = {name: (OTHER_TYPE if other else PROPERTIES)[name] for name in sorted(names)}
    if more == "own":
        properties[f"own{number}"] = {"type": "integer"}
    if more == "unknown":
        return Tool(upstream="work", name=f"t{number}", effect=effect)
    variants = (Variant({}, effect=Effect.NONE),) if more == "varies" else ()
    return tool("work", f"t{number}", properties, tuple(sorted(names)), effect=effect, variants=variants)


def world_of(some: Sequence[Tool]) -> CheckInput:
    """What rules are checked in."""
    return CheckInput(some, PARAMS, Classes())


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Random rules, most about few tools, some about all."""
    lines = []
    for number in range(draw(st.integers(1, 40))):
        scope = f"(principal, {draw(actions)}, {draw(resources)})"
        lines.append(f'@id("r{number}") forbid {scope} when {{ {draw(conditions)} }};')
    return "\n".join(lines)


def findings(some: Sequence[CedarRule], of: Sequence[Tool]) -> set[tuple[str, str]]:
    """What Cedar's own validation says of rules, without the tool that it names as an example."""
    if not some:
        return set()
    result = cedarpy.validate_policies(
        "\n".join(rule.text for rule in some), schema_text(of, PARAMS, Classes())
    )
    assert result.validation_passed or result.errors
    return {
        (some[int(fault.policy_id.removeprefix("policy"))].ref.id, said)
        for fault in result.errors
        if "unable to find an applicable action" not in fault.error
        for said in [re.sub(r"for policy `\w+`, | ?in context for Action::\S+", "", fault.error)]
    }


@FEWER
@given(texts(), sorts)
def test_parts_have_the_findings_of_the_whole(text: str, drawn: tuple[list[Kind], list[int]]) -> None:
    """Cedar says the same of a rule with the few tools of its part as with all tools."""
    some, of = parse(source(text))[0], tools(drawn)
    parts = list(Shapes(world_of(of)).parts(some))
    assert sorted(rule.ref.id for part, _ in parts for rule in part) == sorted(rule.ref.id for rule in some)
    found = {one for part in parts for one in findings(*part)}
    whole = findings(some, of)
    assert (found - whole, whole - found) == (set(), set())


@FEWER
@given(texts(), sorts)
def test_the_index_leaves_out_nothing_that_matches(text: str, drawn: tuple[list[Kind], list[int]]) -> None:
    """Tools of a rule and rules of a tool are those that a look at every pair finds."""
    some, of = parse(source(text))[0], tools(drawn)
    shapes, index = Shapes(world_of(of)), RuleIndex(some)
    every = [form for one in of for form in forms(one)]

    def matches(rule: CedarRule, form: Tool) -> bool:
        return rule.action.matches(*action_closure(form)) and rule.resource.matches(*resource_closure(form))

    for rule in some:
        assert [form for form, _ in shapes.met_by(rule)] == [form for form in every if matches(rule, form)]
    for form in every:
        assert index.for_tool(form) == tuple(n for n, rule in enumerate(some) if matches(rule, form))
