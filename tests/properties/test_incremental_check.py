# SPDX-License-Identifier: Apache-2.0
"""A check that knows rules from loaded policies finds what a check of everything finds."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.cedar.check import CheckedTexts, CheckInput, checked
from remit.adapters.policy.cedar.checks.known_check import CheckResult, IncrementalCheck
from remit.adapters.policy.cedar.rule import CedarRule, RuleText, canonical_json, repeated, rule_texts
from remit.core.errors import ConfigInvalid
from remit.core.identity.principals import Agent
from remit.core.label import Label
from remit.core.tools.tool import Effect, FieldLabel, Tool
from remit.ports.policy import PolicySource
from tests.examples import FEWER
from tests.samples.policy_requests import CLERK, STRING, SUMMARISE, TOOLS, source, tool

TEXTS = st.builds(
    lambda note, effect, scope, clause: f"{note}{effect} {scope}\n{clause};",
    st.sampled_from(
        ["", '@redact("iban") ', '@id("one")', '@id("two")', '@odd("x")\n', '@reason("r")\n', "// a note\n"]
    ),
    st.sampled_from(["permit", "forbid", '@otherwise("approval") forbid']),
    st.sampled_from(
        [
            "(principal, action, resource)",
            '(principal, action == Action::"bank/pay", resource)',
            '(principal == Agent::"lone", action == Action::"contracts/read", resource)',
            '(principal in Group::"legal", action in Action::"effect:none", resource)',
            '(principal, action == Action::"contracts/read", resource == Tool::"bank/pay")',
            '(principal, action, resource in Upstream::"bank")',
        ]
    ),
    st.sampled_from(
        [
            "",
            "when { context.cleared }",
            "when { context.args has path && context.args.path == 3 }",
            'when { context.args has path && context.args.path == "x" }',
            'when { context.args has to && context.args.to == "x" }',
            'when { resource.name == "pay" }',
            'when { resource.effect == "none" }',
            'when { action == Action::"bank/pay" && context.cleared }',
            'when { principal.environment == "staging" || context.effect == "none" }',
            'unless { [Agent::"lone"].contains(principal) }',
            'when { context.task.params has contract && context.task.params.contract == "C" }',
        ]
    ),
)
#: What changes: the sources, as indexes of texts by file, and the world.
STEPS = st.tuples(
    st.lists(st.lists(st.integers(0, 7), max_size=6), min_size=1, max_size=2), st.integers(0, 6)
)


def worlds() -> list[tuple[Sequence[Tool], Sequence[Agent]]]:
    """Return worlds that differ in one respect each."""
    pay = next(one for one in TOOLS if one.id == "bank/pay")
    less = [one for one in TOOLS if one is not pay]
    other = tool("bank", "pay", {"path": {"type": "integer"}}, (), effect=Effect.NONE)
    more = tool("bank", "say", {"path": STRING}, ("path",))
    lone = msgspec.structs.replace(CLERK, name="lone", environment="staging", groups=())
    return [
        (TOOLS, []),
        (TOOLS, [CLERK]),
        (TOOLS, [CLERK, lone]),
        ([*less, other], [CLERK]),
        ([*TOOLS, more], [CLERK]),
        (less, []),
        ([msgspec.structs.replace(one, fields=(FieldLabel("iban", Label()),)) for one in TOOLS], []),
    ]


def whole(sources: Sequence[PolicySource], world: CheckInput) -> CheckResult:
    """Check every rule against everything that is known of tools."""
    texts, _ = rule_texts(sources)
    found = checked(texts, [], world)
    rules = [rule for rule in found.rules if rule is not None]
    return CheckResult(rules, [*found.problems, *repeated(rules)])


@FEWER
@given(st.lists(TEXTS, min_size=8, max_size=8), st.lists(STEPS, min_size=2, max_size=5))
def test_what_is_known_changes_no_finding(texts: list[str], steps: list[tuple[list[list[int]], int]]) -> None:
    """After any changes of rules, of their places and of the world."""
    engine, loaded, every = CedarPolicies(), [], worlds()
    for files, world in steps:
        tools, agents = every[world]
        sources = [
            PolicySource(f"policies/{name}.cedar", "\n".join(texts[one] for one in numbers))
            for name, numbers in enumerate(files)
        ]
        asked = (sources, tools, [SUMMARISE], agents)
        alone = CedarPolicies().check(*asked)
        assert engine.check(*asked) == alone
        everything = CedarPolicies(examine=whole).check(*asked)
        assert sorted(map(repr, alone)) == sorted(map(repr, everything))
        if any(one.severity == "error" for one in alone):
            with pytest.raises(ConfigInvalid):
                engine.load(*asked)
            continue
        loaded.append(engine.load(*asked))
        assert [rule.text for rule in loaded[-1].rules()] == [
            rule.text for rule in CedarPolicies().load(*asked).rules()
        ]
        assert loaded[-1].digest == CedarPolicies().load(*asked).digest


class Counted:
    """Counts what is parsed and checked."""

    def __init__(self) -> None:
        self.parsed = self.again = 0

    def __call__(
        self, texts: Sequence[RuleText], again: Sequence[CedarRule], world: CheckInput
    ) -> CheckedTexts:
        """Check, and count."""
        self.parsed += len(texts)
        self.again += len(again)
        return checked(texts, again, world)


def rules_about(count: int) -> list[str]:
    """Return rules, half of them about one tool."""
    return [
        f'@id("r{number}") forbid (principal, '
        + ('action == Action::"bank/pay"' if number % 2 else 'action in Action::"call"')
        + f", resource) when {{ context.crossings > {number} }};"
        for number in range(count)
    ]


def test_a_change_costs_a_check_of_what_changed() -> None:
    """One rule of a hundred, then the place of all, then one tool, then an agent that no rule names."""
    counted = Counted()
    engine = CedarPolicies(examine=IncrementalCheck(counted))
    texts = rules_about(100)
    kept = [engine.load(source("\n".join(texts)), TOOLS, [SUMMARISE], [])]

    def cost(tools: Sequence[Tool], agents: Sequence[Agent]) -> tuple[int, int]:
        counted.parsed = counted.again = 0
        kept.append(engine.load(source("\n".join(texts)), tools, [SUMMARISE], agents))
        return counted.parsed, counted.again

    assert cost(TOOLS, []) == (0, 0)
    texts[3] = texts[3].replace("> 3", "> 333")
    assert cost(TOOLS, []) == (1, 0)
    texts.insert(0, "// a line that moves all others\n")
    assert cost(TOOLS, []) == (0, 0)
    assert kept[-1].rules()[0].text == kept[0].rules()[0].text
    first = msgspec.structs.replace(TOOLS[0], surface={"inputSchema": {"properties": {"q": STRING}}})
    assert TOOLS[0].id != "bank/pay"
    assert cost([first, *TOOLS[1:]], []) == (0, 50)
    assert cost([first, *TOOLS[1:]], [CLERK]) == (0, 0)
    kept.clear()
    assert cost(TOOLS, []) == (100, 0)


@given(
    st.recursive(
        st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.text(),
        lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
        max_leaves=10,
    )
)
def test_a_digest_is_of_the_same_bytes_as_ever(value: object) -> None:
    """Approvals and evidence name rules by it."""
    expected = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    assert canonical_json(value) == expected
