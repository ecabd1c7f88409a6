# SPDX-License-Identifier: Apache-2.0
"""Rules in groups, asked by tool, decide as one program does that looks at every rule with every fact."""

from __future__ import annotations

import functools
import io
import tarfile
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.adapters.policy.facts import NO_RECORD, Facts, parameters, written
from remit.adapters.policy.rego import RegoPolicies
from remit.adapters.policy.rego.bundle import WASM
from remit.adapters.policy.rego.input_schema import input_shape
from remit.adapters.policy.rego.machine import Machine
from remit.adapters.policy.rego.rule_groups import DECISION, WHOLE_MODULE
from remit.adapters.policy.rule_facts import plain
from remit.core.decisions.access_request import AccessRequest
from remit.core.label import Classes
from remit.ports.policy import RuleInForce
from tests.samples.drawn_requests import AGENTS, requests
from tests.samples.policy_requests import SUMMARISE, TOOLS, source
from tests.servers import opa_server

FILE = "policies/test.rego"
HELPERS = """
is_bank if input.resource.upstream == "bank"

quiet := {"contracts/read", "changes/draft"}

is_tool(id) if input.action.id == id

named(one, id) if one == id
"""
#: What a rule may say about the tool. Some limit it to tools, some only look so.
SCOPES = (
    'input.action.id == "bank/pay"',
    '"contracts/read" == input.action.id',
    'input.resource.id = "changes/draft"',
    'input.action.id in {"contracts/read", "bank/pay"}',
    'input["resource"].id in ["changes/deploy"]',
    'input.resource.upstream == "changes"',
    'input.resource.upstream in {"bank", "contracts"}',
    'input.resource.upstream == "changes"; input.action.id == "changes/draft"',
    'input.resource.upstream == "bank"; input.action.id == "changes/draft"',
    'not input.action.id == "bank/pay"',
    'input.action.id != "bank/pay"',
    "is_bank",
    "input.action.id in quiet",
    'is_tool("bank/pay")',
    'named(input.action.id, "contracts/read")',
    'some part in ["action", "resource"]; input[part].id == "bank/pay"',
    'some action in ["resource"]; input[action].id == "bank/pay"',
    'some id in ["bank/pay", "changes/deploy"]; input.action.id == id',
    'id := input.action.id; id == "changes/draft"',
    'startswith(input.action.id, "changes/")',
    'input.action.id == "bank/pay" with input.action.id as "bank/pay"',
    'every one in ["bank/pay"] { input.action.id == one }',
    'count([x | some x in [1, 2]; input.action.id == "bank/pay"]) < 1',
    "true",
)
CONDITIONS = (
    "true",
    "input.context.cleared",
    "not input.context.cleared",
    '"pii" in input.context.label.categories',
    "input.context.label.untrusted",
    '"legal" in input.principal.groups',
    'input.resource.effect != "none"',
    'input.context.task.params.contract == "C-42"',
    'input.context.args.path == "C-42"',
    'input.context.args.path != "C-42"',
    "input.context.args.lines > 3",
    "input.context.args.amount > 10.5",
    '"x" in input.context.args.tags',
    '"lines" in input.context.arg_names',
    'not "lines" in input.context.arg_names',
    'input.context.now > "2026-01-01"',
    "input.context.tier_level >= 1; input.context.args.amount < 10.6",
)
#: Reads a set itself, so that such policies stay whole.
READS_A_SET = """forbid contains "doubt" if not input.context.cleared

permit contains "calm" if count(forbid) == 0"""


@functools.cache
def bodies() -> tuple[str, ...]:
    """Return each scope with each condition, but for those that `check` refuses."""
    every = [f"{{ {scope}; {condition} }}" for scope in SCOPES for condition in CONDITIONS]
    rules = [f'forbid contains "r{number}" if {body}' for number, body in enumerate(every)]
    problems = engine().check(source(file(rules), FILE), TOOLS, [SUMMARISE])
    refused = {one.rule for one in problems if one.severity == "error"}
    return tuple(body for number, body in enumerate(every) if f"r{number}" not in refused)


def file(rules: Sequence[str]) -> str:
    """Return a file of policies."""
    return "\n\n".join(("package remit", HELPERS, *rules)) + "\n"


@st.composite
def policies(draw: st.DrawFn) -> str:
    """Random rules, some with a second body."""
    rules = []
    for number in range(draw(st.integers(10, 40))):
        does = draw(st.sampled_from(["permit", "forbid", "ask"]))
        head = f'{"permit" if does == "permit" else "forbid"} contains "r{number}" if '
        joint = draw(st.sampled_from([" ", f"\n\n{head}"]))
        notes = "# METADATA\n# custom: {otherwise: approval}\n" if does == "ask" else ""
        few = st.lists(st.sampled_from(bodies()), min_size=1, max_size=2)
        rules.append(f"{notes}{head}{joint.join(draw(few))}")
    if draw(st.integers(0, 5)) == 0:
        rules.append(READS_A_SET)
    return file(rules)


def engine() -> RegoPolicies:
    """Return Rego in process."""
    return RegoPolicies(program=opa_server.program())


def whole(text: str) -> Machine:
    """Compile policies as they are, with one answer about all rules."""
    files = {"bundle/test.rego": text, "bundle/answer.rego": WHOLE_MODULE}
    with opa_server.program().folder(files) as folder:
        folder.build("--bundle", "bundle", "--entrypoint", DECISION, "--target", "wasm", "--output", "b")
        built = folder.read("b")
    with tarfile.open(fileobj=io.BytesIO(built)) as archive:
        stream = archive.extractfile(WASM)
        assert stream is not None
        return Machine(stream.read())


def everything(request: AccessRequest) -> bytes:
    """Return `input` with every fact."""
    facts = Facts(Classes(), [SUMMARISE], 1000)
    shape = input_shape(request.tool, parameters([SUMMARISE]), NO_RECORD).fields["context"]
    agent, tool = request.agent, request.tool
    return written(
        {
            "principal": {"id": agent.name, "groups": list(agent.groups), **facts.agent(agent)},
            "action": {"id": tool.id},
            "resource": {"id": tool.id, **facts.tool(tool)},
            "context": facts.context(shape, request, plain),
        }
    )


def alike(rules: Sequence[RuleInForce], said: set[str], *does: str) -> set[str]:
    """Return the rules that do one of these among some ids."""
    return {rule.id for rule in rules if rule.does in does} & said


#: Each example compiles two programs, and has many rules for it.
@settings(max_examples=max(8, settings().max_examples // 12))
@given(text=policies(), asked=st.lists(requests(), min_size=6, max_size=15))
def test_the_groups_decide_as_the_whole_program_does(text: str, asked: list[AccessRequest]) -> None:
    """The same permits, forbids and rules that ask, the first time and from what is kept."""
    policy = engine().load(source(text, FILE), TOOLS, [SUMMARISE], AGENTS)
    assert not policy.served
    program, rules = whole(text), policy.rules()
    for request in [*asked, *asked]:
        (found,) = msgspec.json.decode(program.evaluate(everything(request)))
        said = {name for names in found["result"].values() for name in names}
        answer = policy.evaluate(request)
        assert not answer.errors
        forbids = alike(rules, said, "refuses")
        assert {one.id for one in answer.forbids} == forbids
        assert {one.id for one in answer.waivable} == alike(rules, said, "asks")
        assert {one.id for one in answer.permits} == (set() if forbids else alike(rules, said, "permits"))
        assert said <= {one.id for one in policy.applicable(request.tool, request.agent)}
