# SPDX-License-Identifier: Apache-2.0
"""The index and the pruned context change the cost of an answer, never the answer."""

from __future__ import annotations

import json
from typing import Any

import cedarpy
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.policy.cache import RecentAnswers
from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.cedar.rule_groups import extension
from remit.adapters.policy.facts import Facts, context_shape, parameters, written
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Outcome, weigh
from remit.core.flow.facts import Flow, FlowFacts
from remit.core.flow.justification import Justification, Provenance
from remit.core.identity.workload import Assurance
from remit.core.label import Classes, Label, Trust
from remit.core.tools.tool import Tool
from tests.examples import FEWER
from tests.samples.drawn_requests import AGENTS, requests
from tests.samples.policy_requests import PAY, SUMMARISE, TOOLS, request, source

principals = st.sampled_from(
    [
        "principal",
        'principal == Agent::"clerk"',
        'principal == Agent::"legal"',
        'principal in Group::"legal"',
        'principal in Group::"nobody"',
        'principal in Agent::"lone"',
        "principal is Agent",
        'principal is Agent in Group::"bots"',
    ]
)
actions = st.sampled_from(
    [
        "action",
        'action in Action::"call"',
        'action in Action::"effect:irreversible"',
        'action in [Action::"effect:none", Action::"bank/pay"]',
        *(f'action == Action::"{tool.id}"' for tool in TOOLS),
        'action in Action::"changes/draft"',
    ]
)
resources = st.sampled_from(
    [
        "resource",
        "resource is Tool",
        'resource in Upstream::"changes"',
        'resource == Tool::"contracts/read"',
        'resource is Tool in Upstream::"bank"',
        'resource in Tool::"bank/pay"',
    ]
)
conditions = st.sampled_from(
    [
        "true",
        'principal in Group::"legal"',
        'principal in [Group::"bots", Agent::"lone"]',
        '[Agent::"lone", Agent::"both"].contains(principal)',
        'action in Action::"effect:none"',
        'resource in Upstream::"bank"',
        "context.cleared",
        'context.label.untrusted && resource.effect != "none"',
        'context.label.categories.contains("pii")',
        'context.args has path && context.args.path like "C-4*"',
        "context.args has lines && context.args.lines > 3",
        'context.args has amount && context.args.amount.greaterThan(decimal("10.5"))',
        'context has args && context.args has tags && context.args.tags.contains("x")',
        'context has args.amount && context.args.amount.lessThan(decimal("10.6"))',
        "context.args == context.args",
        "(if context.cleared then context.args else context.args) has path",
        '{"has": context.args has path, ".": 1, "Value": context.args has tags}.Value',
        "context.label == context.label",
        "(if context.cleared then context else context).label.untrusted",
        'context.task.purpose == "legal-review" && context.task.params has contract',
        'context.now > datetime("2026-01-01")',
        'context.arg_names.contains("body")',
        # These err for some requests and not for others.
        "context.tier_level + 9223372036854775806 > 0",
        "context.args has lines && context.args.lines * 9223372036854775807 > 0",
    ]
)


@st.composite
def policies(draw: st.DrawFn) -> str:
    """A random set of rules, each on its own line with its own id; what `check` refuses is left out."""
    lines = []
    for number in range(draw(st.integers(1, 12))):
        effect = draw(st.sampled_from(["permit", "forbid", '@otherwise("approval") forbid']))
        scope = f"({draw(principals)}, {draw(actions)}, {draw(resources)})"
        clause = draw(st.sampled_from(["when", "unless"]))
        lines.append(f'@id("r{number}") {effect} {scope} {clause} {{ {draw(conditions)} }};')
    problems = CedarPolicies().check(source("\n".join(lines)), TOOLS, [SUMMARISE])
    refused = {problem.rule for problem in problems if problem.severity == "error"}
    return "\n".join(line for number, line in enumerate(lines) if f"r{number}" not in refused)


def everything(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    """All entities of the gateway, as Cedar JSON, written without the code under test but for attributes."""
    facts = Facts(Classes(), [], 100)
    out: list[dict[str, Any]] = []
    for one in AGENTS:
        parents = [{"type": "Group", "id": group} for group in one.groups]
        out.append({"uid": {"type": "Agent", "id": one.name}, "attrs": facts.agent(one), "parents": parents})
    for tool in tools:
        parents = [{"type": "Upstream", "id": tool.upstream}]
        out.append({"uid": {"type": "Tool", "id": tool.id}, "attrs": facts.tool(tool), "parents": parents})
    names = {("Group", group) for one in AGENTS for group in one.groups}
    names |= {("Upstream", tool.upstream) for tool in tools}
    return out + [{"uid": {"type": kind, "id": name}, "attrs": {}, "parents": []} for kind, name in names]


SCHEMA = CedarPolicies().schema(TOOLS, [SUMMARISE])
SCHEMA_HANDLE = cedarpy.Schema.from_str(SCHEMA)
ENTITIES = cedarpy.Entities.from_json_str(json.dumps(everything(TOOLS)), SCHEMA_HANDLE)


def each_alone(text: str, asked: AccessRequest) -> tuple[set[str], set[str]]:
    """Evaluate each rule by itself, with every fact and every entity: which are satisfied, which err."""
    shape = context_shape(asked.tool, parameters([SUMMARISE]))
    call = {
        "principal": {"type": "Agent", "id": asked.agent.name},
        "action": {"type": "Action", "id": asked.tool.id},
        "resource": {"type": "Tool", "id": asked.tool.id},
        "context": written(Facts(Classes(), [SUMMARISE], 1000).context(shape, asked, extension)).decode(),
    }
    satisfied, erred = set(), set()
    for line in text.splitlines():
        name = line.split('"')[1]
        result = cedarpy.is_authorized(call, line, ENTITIES, SCHEMA_HANDLE)
        assert result.decision is not cedarpy.Decision.NoDecision, result.diagnostics.errors
        if result.diagnostics.errors:
            erred.add(name)
        elif result.diagnostics.reasons:
            satisfied.add(name)
    return satisfied, erred


def kind_of(line: str) -> str:
    """Which part of an answer a rule of this test stands in."""
    return "waivable" if "@otherwise" in line else "permits" if " permit (" in line else "forbids"


@FEWER
@given(text=policies(), asked=st.lists(requests(), min_size=1, max_size=3))
def test_the_index_decides_as_the_whole_set_does(text: str, asked: list[AccessRequest]) -> None:
    """Permits, forbids, waivable rules and errors are those of every rule evaluated alone on all facts."""
    policy = CedarPolicies().load(source(text), TOOLS, [SUMMARISE], AGENTS)
    kinds = {line.split('"')[1]: kind_of(line) for line in text.splitlines()}
    for one in [*asked, *asked]:  # the second time from the caches
        satisfied, erred = each_alone(text, one)
        answer = policy.evaluate(one)
        assert bool(answer.errors) == bool(erred)
        expected = {kind: {name for name in satisfied if kinds[name] == kind} for kind in set(kinds.values())}
        assert {ref.id for ref in answer.forbids} == expected.get("forbids", set())
        assert {ref.id for ref in answer.waivable} == expected.get("waivable", set())
        if not answer.forbids and not answer.errors:
            assert {ref.id for ref in answer.permits} == expected.get("permits", set())
        if erred:
            assert weigh(answer, frozenset(answer.waivable))[0] is Outcome.DENY


changes = st.one_of(
    st.builds(lambda flag: {"cleared": flag}, st.booleans()),
    st.builds(
        lambda found, trust: {"label": Label(categories=frozenset(found), trust=trust)},
        st.sets(st.sampled_from(["pii", "secret"])),
        st.sampled_from(Trust),
    ),
    st.builds(lambda level: {"assurance": level}, st.sampled_from(Assurance)),
    st.builds(lambda params: {"params": params}, st.sampled_from([{}, {"contract": "C-42"}])),
    st.builds(lambda person: {"on_behalf_of": person}, st.sampled_from(["", "ana"])),
    st.builds(lambda count: {"crossings": count}, st.integers(0, 2)),
    st.builds(lambda bound: {"max_crossings": bound}, st.integers(0, 2)),
    st.builds(
        lambda where, asked, path: {
            "flow": Flow(FlowFacts(destination=where, asked=asked), {"path": Justification(path)})
        },
        st.sampled_from(["none", "intent", "untrusted"]),
        st.booleans(),
        st.sampled_from(Provenance),
    ),
)


def changed(asked: AccessRequest, change: dict[str, Any]) -> AccessRequest:
    """Return the request with one fact changed and everything else the very same objects."""
    replace = msgspec.structs.replace
    if "params" in change:
        intent = replace(asked.task.intent, params=change["params"])
        return replace(asked, task=replace(asked.task, intent=intent))
    if change.keys() & {"assurance", "on_behalf_of"}:
        return replace(asked, principal=replace(asked.principal, **change))
    return replace(asked, **change)


#: One rule for each fact that may change from call to call while the rest stays.
READS_EACH_FACT = """
@id("all") permit (principal, action, resource);
@id("cleared") forbid (principal, action, resource) unless { context.cleared };
@id("pii") forbid (principal, action, resource) when { context.label.categories.contains("pii") };
@id("secret") forbid (principal, action, resource) when { context.label.categories.contains("secret") };
@id("trust") forbid (principal, action, resource) when { context.label.untrusted };
@id("proof") forbid (principal, action, resource) when { context.assurance_level < 3 };
@id("person") forbid (principal, action, resource) when { context.task.on_behalf_of == "" };
@id("contract") forbid (principal, action, resource) unless { context.task.params has contract };
@id("zones") forbid (principal, action, resource) when { context.crossings > context.max_crossings };
@id("where") forbid (principal, action, resource) when { context.flow.destination == "untrusted" };
@id("sure") forbid (principal, action, resource) when { context.destination_trust == "intent" };
@id("wish") forbid (principal, action, resource) when { context.flow.asked };
@id("path") forbid (principal, action, resource)
  when { context.provenance has path && context.provenance.path == "unknown" };
@id("mine") forbid (principal, action, resource) when { context.task_label.untrusted };
@id("late") forbid (principal, action, resource) when { context.now > datetime("2100-01-01") };
"""


@FEWER
@given(first=requests(), steps=st.lists(changes, min_size=1, max_size=12))
def test_what_was_found_for_one_request_is_not_given_to_another(
    first: AccessRequest, steps: list[dict[str, Any]]
) -> None:
    """A policy that has answered before answers as one that was loaded for this request alone."""
    engine, asked = CedarPolicies(), first
    policy = engine.load(source(READS_EACH_FACT), TOOLS, [SUMMARISE], AGENTS)
    policy.evaluate(asked)
    for step in steps:
        asked = changed(asked, step)
        fresh = engine.load(source(READS_EACH_FACT), TOOLS, [SUMMARISE], AGENTS)
        assert policy.evaluate(asked) == fresh.evaluate(asked)


@FEWER
@given(text=policies(), more=policies(), asked=requests())
def test_an_added_forbid_never_permits(text: str, more: str, asked: AccessRequest) -> None:
    """Whatever was not permitted stays not permitted when rules that forbid are added."""
    added = "\n".join(
        line.replace('@id("', '@id("more-') for line in more.splitlines() if " permit (" not in line
    )
    engine = CedarPolicies()
    before = engine.load(source(text), TOOLS, [SUMMARISE], AGENTS).evaluate(asked)
    after = engine.load(source(f"{text}\n{added}"), TOOLS, [SUMMARISE], AGENTS).evaluate(asked)
    order = [Outcome.DENY, Outcome.DEFER, Outcome.PERMIT]
    assert order.index(weigh(after, frozenset())[0]) <= order.index(weigh(before, frozenset())[0])


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.characters(categories=["Cs"]),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["__entity", "__extn", "type", "id", "fn", "arg", "x"]), below)
    ),
    max_leaves=8,
)
READER = CedarPolicies().load(
    source(
        "permit (principal, action, resource);\n"
        '@id("all-args") forbid (principal, action == Action::"bank/pay", resource)\n'
        'when { context.args == context.args && context.args.to like "evil*" };'
    ),
    TOOLS,
    [SUMMARISE],
    AGENTS,
)


@given(st.dictionaries(st.sampled_from(["to", "amount", "tags", "__entity", "__extn", "other"]), anything))
def test_no_argument_makes_the_engine_raise_or_look_away(arguments: dict[str, Any]) -> None:
    """Whatever stands in arguments, evaluation returns; permitted is only what fits the declared types
    whole.
    """
    answer = READER.evaluate(request(PAY, arguments))
    if not answer.errors and not answer.forbids:
        assert isinstance(arguments["to"], str)
        assert isinstance(arguments["amount"], int | float)
        assert arguments.keys() <= {"to", "amount", "tags"}


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans())))
def test_a_bounded_cache_keeps_the_latest(steps: list[tuple[int, bool]]) -> None:
    """It never holds more than its size, and never forgets what was used last."""
    cache: RecentAnswers[int, str] = RecentAnswers(3)
    for key, write in steps:
        if write or cache.get(key) is None:
            cache.put(key, str(key))
        assert cache.get(key) == str(key)
        assert len(cache) <= 3
