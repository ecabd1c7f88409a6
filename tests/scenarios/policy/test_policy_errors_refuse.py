# SPDX-License-Identifier: Apache-2.0
"""Threat: a forbid that does not fire. Cedar skips a rule that errs, and reports nothing about an entity it
does not know.

The engine alone would permit an attacker who can make a forbid err, or can make its facts vanish. Here each
way of doing so ends in a refusal.
"""

from __future__ import annotations

from typing import Any

import cedarpy
import msgspec
import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Outcome, PolicyAnswer, weigh
from remit.core.identity.principals import AgentState, Principal
from remit.core.label import Label
from remit.core.tools.tool import Effect, Tool, ToolState
from tests.samples.policy_requests import (
    CLERK,
    DEPLOY,
    DRAFT,
    PAY,
    READ,
    STRING,
    SUMMARISE,
    TOOLS,
    agent,
    guardrails,
    request,
    source,
    tool,
)

ALL = '@id("all") permit (principal, action, resource);\n'
NO_43 = (
    '@id("no-43") forbid (principal, action == Action::"contracts/read", resource)'
    ' when { context.args.path like "*C-43*" };'
)


def answer(text: str, asked: AccessRequest, tools: tuple[Tool, ...] = TOOLS, **settings: Any) -> PolicyAnswer:
    """The answer under one rule and a permit for everything."""
    policy = CedarPolicies(**settings).load(source(ALL + text), tools, [SUMMARISE], [CLERK])
    return policy.evaluate(asked)


def outcome(given: PolicyAnswer) -> Outcome:
    """What comes of an answer once a human has approved all that a human may."""
    return weigh(given, frozenset(given.waivable))[0]


def test_cedar_alone_would_permit() -> None:
    """The engine by itself allows when the condition of the only forbid errs: the reason for all that
    follows.
    """
    text = "permit (principal, action, resource); forbid (principal, action, resource) when { context.n.m };"
    call = {"principal": 'A::"a"', "action": 'A::"b"', "resource": 'A::"c"', "context": {"n": 1}}
    result = cedarpy.is_authorized(call, text, [])
    assert result.allowed
    assert result.diagnostics.errors


@pytest.mark.parametrize(
    "path",
    [
        {"__entity": {"type": "Agent", "id": "clerk"}},
        {"__extn": {"fn": "decimal", "arg": "1.0"}},
        {"__expr": 'Agent::"clerk"'},
        ["C-43"],
        43,
        None,
        True,
        "C-42" + "\ud800",
        "x" * 70_000 + "C-43",
    ],
    ids=lambda value: str(value)[:20].encode("ascii", "replace").decode(),
)
def test_an_argument_that_the_forbid_cannot_read_refuses(path: object) -> None:
    """Escapes, wrong types, nulls, broken text and text too long to look at are refused where a forbid
    reads them.
    """
    given = answer(NO_43, request(READ, {"path": path}))
    assert given.errors
    assert outcome(given) is Outcome.DENY
    assert "`no-43`" in given.errors[0] or "Unicode" in given.errors[0]


def test_a_missing_argument_refuses() -> None:
    """A required argument that is not there does not make its forbid pass by."""
    assert outcome(answer(NO_43, request(READ, {}))) is Outcome.DENY


def test_what_no_rule_reads_refuses_nobody() -> None:
    """A long text and a Cedar escape in an argument that no rule reads cost nothing and change nothing."""
    asked = request(DRAFT, {"title": {"__entity": {"type": "Agent", "id": "x"}}, "body": "x" * 1_000_000})
    assert outcome(answer(NO_43, asked)) is Outcome.PERMIT


def test_an_argument_the_tool_does_not_declare_refuses_where_a_rule_asks_for_it() -> None:
    """`has force` is not simply false when the caller gives `force` to a tool that does not declare it."""
    forced = tool("changes", "push", {"force": {"type": "boolean"}}, effect=Effect.REVERSIBLE)
    rule = (
        '@id("no-force") forbid (principal, action in Action::"effect:reversible", resource)'
        " when { context.args has force && context.args.force };"
    )
    tools = (*TOOLS, forced)
    assert outcome(answer(rule, request(DRAFT, {"title": "x", "force": True}), tools)) is Outcome.DENY
    assert outcome(answer(rule, request(DRAFT, {"title": "x"}), tools)) is Outcome.PERMIT
    assert outcome(answer(rule, request(forced, {"force": True}), tools)) is Outcome.DENY
    assert outcome(answer(rule, request(forced, {"force": False}), tools)) is Outcome.PERMIT


def test_a_tool_that_changed_after_loading_does_not_slip_its_rules() -> None:
    """If the upstream drops or retypes an argument that a rule reads, calls of the tool are refused."""
    for properties in ({}, {"path": {"type": "integer"}}, {"path": {"type": "array", "items": STRING}}):
        changed = tool("contracts", "read", properties)
        given = answer(NO_43, request(changed, {"path": "C-43"}))
        assert outcome(given) is Outcome.DENY
        assert given.errors


def test_a_tool_registered_after_loading_is_under_the_general_rules() -> None:
    """A tool unknown at loading is decided by its own facts: its effect, its upstream, its state."""
    late = tool("late", "wipe", {}, effect=Effect.IRREVERSIBLE)
    rule = '@id("no-end") forbid (principal, action in Action::"effect:irreversible", resource);'
    assert [ref.id for ref in answer(rule, request(late, {})).forbids] == ["no-end"]
    assert outcome(answer(rule, request(tool("late", "look", {}), {}))) is Outcome.PERMIT


def test_an_agent_is_not_its_namesake_group() -> None:
    """An agent called like a group is not in it, and a group does not stand for the agent."""
    rule = '@id("g") forbid (principal in Group::"legal", action, resource);'
    assert outcome(answer(rule, request(by=agent("legal")))) is Outcome.PERMIT
    assert outcome(answer(rule, request(by=agent("x", "legal")))) is Outcome.DENY


def test_two_tenants_agents_of_one_name_stay_apart() -> None:
    """What is prepared for one tenant's agent is not used for the other's."""
    policy = CedarPolicies().load(
        source(ALL + '@id("g") forbid (principal in Group::"interns", action, resource);'), TOOLS, [], []
    )
    there = msgspec.structs.replace(agent("clerk", "interns"), tenant="elsewhere")
    for _ in range(2):
        assert outcome(policy.evaluate(request(by=agent("clerk")))) is Outcome.PERMIT
        assert outcome(policy.evaluate(request(by=there))) is Outcome.DENY


@pytest.mark.parametrize("name", ['a"b', "a\nb", "a\\", '"; permit', 'Agent::"x"', "\u202eevil", "\x00"])
def test_names_with_any_character_are_one_name(name: str) -> None:
    """Quotes and line breaks in names of agents, groups and tools match only themselves."""
    odd = tool(name, name, {name: STRING})
    asked = request(odd, {name: "x"}, agent(name, name))
    assert outcome(answer("", asked, (*TOOLS, odd))) is Outcome.PERMIT
    assert (
        outcome(answer('@id("g") forbid (principal in Group::"legal", action, resource);', asked))
        is Outcome.PERMIT
    )


def test_a_request_about_somebody_else_refuses() -> None:
    """The principal and the agent of a request must be the same."""
    asked = request(principal=Principal(tenant="house", agent="other"))
    assert outcome(answer("", asked)) is Outcome.DENY


def test_a_data_class_that_nobody_configured_refuses() -> None:
    """An unknown class has no rank: a rule that asks for the rank cannot pass by."""
    rule = '@id("high") forbid (principal, action, resource) when { context.label.class_level > 1 };'
    given = answer(rule, request(label=Label(data_class="cosmic")))
    assert outcome(given) is Outcome.DENY
    assert given.errors


def test_no_message_repeats_an_argument() -> None:
    """Errors name the rule and the argument, never the value: they reach people who may not see it."""
    rule = (
        '@id("sum") forbid (principal, action == Action::"contracts/read", resource)'
        " when { context.args has lines && context.args.lines + 9223372036854775807 > 0 };"
    )
    for arguments in ({"path": "C-1", "lines": 77123}, {"path": "C-1", "lines": "77123"}):
        given = answer(rule, request(READ, arguments))
        assert given.errors
        assert "77123" not in str(given)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request(READ), Outcome.PERMIT),
        (request(DRAFT, {"title": "x"}), Outcome.PERMIT),
        (request(DEPLOY, {"change": "x"}, agent(environment="production")), Outcome.DEFER),
        (request(DEPLOY, {"change": "x"}), Outcome.DENY),
        (request(PAY, {"to": "x", "amount": 1}), Outcome.DEFER),
        (request(READ, cleared=False), Outcome.DENY),
        (request(READ, label=Label(categories=frozenset({"secret"}))), Outcome.DENY),
        (request(READ, by=agent(state=AgentState.SUSPENDED)), Outcome.DENY),
        (request(msgspec.structs.replace(READ, state=ToolState.CHANGED)), Outcome.DENY),
        (request(msgspec.structs.replace(READ, described=False)), Outcome.DEFER),
    ],
)
def test_the_guardrails_ask_only_where_it_matters(asked: AccessRequest, expected: Outcome) -> None:
    """Reading and reversible work inside pass; production, money and the undescribed ask; the rest is
    refused.
    """
    policy = CedarPolicies().load(guardrails(), TOOLS, [SUMMARISE], [CLERK])
    given = policy.evaluate(asked)
    assert weigh(given, frozenset())[0] is expected
    assert all(reason.text and (reason.remediation or reason.code == "permitted") for reason in given.reasons)
