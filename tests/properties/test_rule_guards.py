# SPDX-License-Identifier: Apache-2.0
"""Rules that a string in the call rules out are left out, and the answer stays that of all rules."""

from __future__ import annotations

import json
import random
from typing import Any

import cedarpy
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.cedar.guards import guard_of
from remit.adapters.policy.cedar.index import principal_closure, resource_closure
from remit.adapters.policy.cedar.rule import parse
from remit.adapters.policy.cedar.rule_cache import CompiledRules
from remit.adapters.policy.cedar.rule_groups import INDEXED_FROM, MOST_CHOSEN, SHARED_FROM, extension
from remit.adapters.policy.facts import Facts, context_shape, parameters, written
from remit.core.decisions.access_request import AccessRequest
from remit.core.label import Classes
from remit.core.tools.tool import Effect
from tests.examples import FEWER
from tests.samples.policy_requests import STRING, SUMMARISE, agent, request, source, tool

NOTE = tool(
    "notes",
    "write",
    {"path": STRING, "mode": STRING, "to": {"type": "object", "properties": {"who": STRING}}},
    ("path",),
    effect=Effect.REVERSIBLE,
)
OTHER = tool("notes", "read", {"path": STRING}, ("path",))
TOOLS = (NOTE, OTHER)
AGENTS = (agent("clerk", "legal"), agent("lone"))
#: Few, so that several rules meet one; with what is read in another way by one side or the other.
WORDS = ["", "a", "b", "A", "a*b", "*", 'q"', "\\", "\n", "\u00e9", "e\u0301", "\U0001f600", "x/y"]
words = st.sampled_from(WORDS)


def quoted(word: str) -> str:
    """A literal of Cedar."""
    return json.dumps(word, ensure_ascii=False)


def pattern(parts: list[str]) -> str:
    """A pattern of literals between wildcards."""
    return '"' + "*".join(quoted(one)[1:-1].replace("*", "\\*") for one in parts) + '"'


FACTS = (
    *("context.args.path", "context.args.path", "context.args.mode", "context.args.to.who"),
    *("context.task.type", "context.label.class", "principal.name"),
)
PRESENT = "context.args has mode && context.args has to && context.args.to has who"
#: These err wherever they are evaluated.
ERRING = ("context.tier_level + 9223372036854775807 > 0", "context.crossings - 9223372036854775807 - 9 < 0")
OTHERS = (
    *("context.args has mode", "context.args has to", "context.args has to && context.args.to has who"),
    *("context.cleared", "!context.cleared", "context.args.path == context.args.path"),
    *("context.args.path == context.task.type", 'action == Action::"notes/write"'),
    *('principal in Group::"legal"', PRESENT, *ERRING),
)
#: A comparison, something else, or both in a way that is no guard.
FORMS = (
    *(*["{0}"] * 6, *["{1}"] * 3, "!({0})", "({0} || {1})", "({1} || {0})", "({0} && {1})"),
    *("(if {1} then {0} else {2})", "(if {0} then {1} else {2})"),
)
SCOPES = (
    "(principal, action, resource)",
    '(principal, action == Action::"notes/write", resource)',
    '(principal, action in [Action::"notes/write", Action::"effect:none"], resource)',
    '(principal in Group::"legal", action in Action::"call", resource in Upstream::"notes")',
)


class Rules:
    """Writes rules at random: Hypothesis draws the seed, as so many draws of its own would be slow."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._one = self._random.choice

    def text(self) -> str:
        """Enough rules for an index, a third of them plain, and one that permits."""
        lines = [self._plain() for _ in range(INDEXED_FROM)] + [self._rule() for _ in range(40)]
        self._random.shuffle(lines)
        lines = [f'@id("r{number}") {one}' for number, one in enumerate(lines)]
        return "\n".join([*lines, '@id("all") permit (principal, action, resource);'])

    def _plain(self) -> str:
        same = f"{self._one(FACTS[:4])} == {quoted(self._one(WORDS))}"
        return f"forbid {SCOPES[1]} when {{ {PRESENT} && {same} }};"

    def _rule(self) -> str:
        effect = self._one(["permit", "forbid", "forbid", '@otherwise("approval") forbid'])
        clauses = " ".join(self._clause() for _ in range(self._one([1, 1, 2])))
        return f"{effect} {self._one(SCOPES)} {clauses};"

    def _clause(self) -> str:
        some = [self._expression() for _ in range(self._one([1, 2, 2, 3]))]
        if self._one([True, False]):
            some.insert(0, PRESENT)
        return f"{self._one(['when', 'when', 'unless'])} {{ {' && '.join(some)} }}"

    def _expression(self) -> str:
        form = self._one(FORMS)
        return form.format(self._compared(), self._one(OTHERS), self._compared())

    def _compared(self) -> str:
        fact, word = self._one(FACTS), quoted(self._one(WORDS))
        some = [self._one(WORDS) for _ in range(self._one([1, 2, 3]))]
        listed = f"[{', '.join(map(quoted, some))}].contains({fact})"
        liked = f"{fact} like {pattern(some)}"
        return self._one([f"{fact} == {word}", f"{word} == {fact}", f"{fact} != {word}", listed, liked])


@st.composite
def policies(draw: st.DrawFn) -> str:
    """Rules without those that `check` refuses."""
    text = Rules(draw(st.integers(0, 2**32))).text()
    problems = CedarPolicies().check(source(text), TOOLS, [SUMMARISE])
    refused = {problem.rule for problem in problems if problem.severity == "error"}
    return "\n".join(line for line in text.splitlines() if line.split('"')[1] not in refused)


@st.composite
def requests(draw: st.DrawFn) -> AccessRequest:
    """A call whose arguments are mostly words of the rules."""
    text = words | st.text(max_size=3)
    arguments: dict[str, Any] = {"path": draw(text)}
    if draw(st.booleans()):
        arguments["mode"] = draw(text)
    if draw(st.booleans()):
        arguments["to"] = draw(st.fixed_dictionaries({}, optional={"who": text}))
    return request(NOTE, arguments, draw(st.sampled_from(AGENTS)), cleared=draw(st.booleans()))


SCHEMA = cedarpy.Schema.from_str(CedarPolicies().schema(TOOLS, [SUMMARISE]))


def each_alone(text: str, asked: AccessRequest) -> tuple[set[str], set[str]]:
    """Evaluate each rule by itself, on all facts: which are satisfied, which err."""
    given = Facts(Classes(), [SUMMARISE], 1000)
    own = [principal_closure(asked.agent), resource_closure(asked.tool)]
    attributes = [given.agent(asked.agent), given.tool(asked.tool)]
    entities = [
        {
            "uid": {"type": uid[0], "id": uid[1]},
            "attrs": attrs,
            "parents": [{"type": kind, "id": name} for kind, name in closure - {uid}],
        }
        for (uid, closure), attrs in zip(own, attributes, strict=True)
    ]
    shape = context_shape(asked.tool, parameters([SUMMARISE]))
    call = {
        "principal": {"type": "Agent", "id": asked.agent.name},
        "action": {"type": "Action", "id": asked.tool.id},
        "resource": {"type": "Tool", "id": asked.tool.id},
        "context": written(given.context(shape, asked, extension)).decode(),
    }
    satisfied, erred = set(), set()
    known = cedarpy.Entities.from_json_str(json.dumps(entities), SCHEMA)
    for rule in parse(source(text))[0]:
        result = cedarpy.is_authorized(call, rule.text, known, SCHEMA)
        assert result.decision is not cedarpy.Decision.NoDecision, result.diagnostics.errors
        if result.diagnostics.errors:
            erred.add(rule.ref.id)
        elif result.diagnostics.reasons:
            satisfied.add(rule.ref.id)
    return satisfied, erred


@FEWER
@given(policies(), st.lists(requests(), min_size=1, max_size=4))
def test_what_a_guard_rules_out_changes_no_answer(text: str, asked: list[AccessRequest]) -> None:
    """Permits, forbids, waivable rules and errors are those of every rule evaluated alone."""
    policy = CedarPolicies().load(source(text), TOOLS, [SUMMARISE], AGENTS)
    kinds = {rule.id: rule.does for rule in policy.rules()}
    for one in [*asked, *asked]:  # the second time from the caches
        satisfied, erred = each_alone(text, one)
        answer = policy.evaluate(one)
        assert bool(answer.errors) == bool(erred)
        assert {ref.id for ref in answer.forbids} == {name for name in satisfied if kinds[name] == "refuses"}
        assert {ref.id for ref in answer.waivable} == {name for name in satisfied if kinds[name] == "asks"}
        if not answer.forbids and not answer.errors:
            assert {ref.id for ref in answer.permits} == {
                name for name in satisfied if kinds[name] == "permits"
            }


def test_many_rules_that_hold_at_once_are_all_found() -> None:
    """More than are chosen for one call, beside rules about every call that share a group."""
    many, wide = MOST_CHOSEN * 3, SHARED_FROM + 10
    lines = ['@id("all") permit (principal, action, resource);']
    lines += [
        f'@id("m{n}") forbid {SCOPES[1]} when {{ context.args.path == "same" && context.crossings < {n} }};'
        for n in range(many)
    ]
    lines += [
        f'@id("w{n}") @otherwise("approval") forbid (principal, action, resource) '
        f'when {{ context.arg_names.contains("path") && context.crossings >= {n} }};'
        for n in range(wide)
    ]
    policy = CedarPolicies().load(source("\n".join(lines)), TOOLS, [SUMMARISE], AGENTS)
    same = policy.evaluate(request(NOTE, {"path": "same"}, AGENTS[0]))
    assert {ref.id for ref in same.forbids} == {f"m{n}" for n in range(1, many)}
    assert {ref.id for ref in same.waivable} == {"w0"}
    other = policy.evaluate(request(NOTE, {"path": "other"}, AGENTS[0]))
    assert (other.forbids, [ref.id for ref in other.permits]) == ((), ["all"])
    assert {ref.id for ref in other.waivable} == {"w0"}


def test_compiled_rules_are_shared_and_bounded() -> None:
    """One group for the same rules; what was not used for longest is compiled again when needed."""
    lines = [f'@id("r{n}") permit (principal, action, resource);' for n in range(30)]
    compiled = CompiledRules(parse(source("\n".join(lines)))[0], most=20)
    groups = [compiled.group(tuple(range(start, start + 10)), False) for start in (0, 10, 20)]
    assert compiled.group(tuple(range(10)), False) is groups[0]
    first = compiled.of(groups[0])
    compiled.of(groups[1])
    assert compiled.of(groups[0]) is first
    compiled.of(groups[2])
    assert (groups[1].compiled, compiled.count) == (None, 20)
    assert len(compiled.of(groups[1]).policies) == 10
    whole = compiled.group(tuple(range(30)), False)
    assert len(compiled.of(whole).policies) == 30
    assert compiled.count == 30


def test_a_rule_has_no_guard_where_something_may_fail_before_it() -> None:
    """Nor where a comparison is only one way to hold."""
    guard, plain_one = 'context.args.path == "x"', "context.cleared"
    err = "context.crossings + 1 > 0"
    for body, word in (
        (guard, True),
        (f"{plain_one} && {guard}", True),
        (f"{guard} && {err}", True),
        (f"{err} && {guard}", False),
        (f"{guard} || {plain_one}", False),
        (f"!({guard})", False),
    ):
        (rule,), _ = parse(source(f"forbid (principal, action, resource) when {{ {body} }};"))
        assert (guard_of(rule.policy) is not None) is word, body
    text = f"forbid (principal, action, resource) unless {{ {err} }} when {{ {guard} }};"
    assert guard_of(parse(source(text))[0][0].policy) is None
    assert msgspec.json.decode(parse(source(text))[0][0].canonical)["effect"] == "forbid"
