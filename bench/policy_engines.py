# SPDX-License-Identifier: Apache-2.0
"""Decisions in process at 10, 100 and 1,000 rules, in Cedar and in Rego.

The rules say the same in both languages. Each speaks about one of fifty tools, except one in ten, which
speaks about every call. Rego needs the program `opa`, and is left out without it.
"""

import importlib.util
import shutil
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from bench.figure import Figure
from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.rego import RegoPolicies
from remit.core.decisions.access_request import AccessRequest
from remit.core.flow.facts import Flow, FlowFacts
from remit.core.identity.principals import Agent, Principal
from remit.core.identity.workload import Assurance
from remit.core.label import Audience, Label
from remit.core.tasks.task import Intent, Task
from remit.core.tools.tool import Effect, Tool
from remit.ports.policy import PolicyEngine, PolicySource

SIZES = (10, 100, 1_000)
TOOLS = 50
UNSCOPED = 10
CALLS = 4_000
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


def tool(number: int) -> Tool:
    """Return one of the tools."""
    return Tool(
        upstream="work",
        name=f"tool{number}",
        effect=Effect.REVERSIBLE,
        audience=Audience("internal"),
        described=True,
        surface={"inputSchema": SCHEMA},
    )


def cedar(rules: int) -> str:
    """Return the rules in Cedar."""
    lines = ['@id("all") permit (principal, action, resource);']
    for number in range(1, rules):
        scoped = number % UNSCOPED != 0
        action = f'action == Action::"work/tool{number % TOOLS}"' if scoped else "action"
        more = f'context.args.path == "no{number}"' if scoped else f"context.crossings > {number}"
        lines.append(
            f'@id("rule{number}") forbid (principal, {action}, resource) '
            f"when {{ context.flow.tainted && {more} }};"
        )
    return "\n".join(lines)


def rego(rules: int) -> str:
    """Return the same rules in Rego."""
    lines = ["package remit", 'permit contains "all"']
    for number in range(1, rules):
        scoped = (
            f'input.action.id == "work/tool{number % TOOLS}"; input.context.args.path == "no{number}"'
            if number % UNSCOPED
            else f"input.context.crossings > {number}"
        )
        lines.append(f'forbid contains "rule{number}" if {{ {scoped}; input.context.flow.tainted }}')
    return "\n\n".join(lines) + "\n"


def requests() -> Iterator[AccessRequest]:
    """Return requests without end, each with another argument."""
    agent = Agent(
        tenant="house", name="clerk", owner="ana", purpose="work", created=NOON, created_by="ana", groups=()
    )
    task = Task(
        tenant="house",
        id="task-1",
        type="work",
        agent="clerk",
        owner="ana",
        intent=Intent(goal="work", requested_by="ana", stated_at=NOON),
        grants=(),
        opened=NOON,
        deadline=NOON,
    )
    first = AccessRequest(
        principal=Principal(tenant="house", agent="clerk", assurance=Assurance.KEY_BOUND),
        agent=agent,
        task=task,
        tool=tool(1),
        arguments={},
        grants=(),
        tier=tool(1).tier,
        label=Label(),
        cleared=True,
        now=NOON,
        flow=Flow(FlowFacts(tainted=True)),
    )
    number = 0
    while True:
        number += 1
        yield msgspec.structs.replace(first, arguments={"path": f"C-{number}"})


def measured(engine: PolicyEngine, source: PolicySource, quick: bool) -> list[float]:
    """Return the microseconds of each decision; raises where a decision is wrong."""
    policy = engine.load([source], [tool(number) for number in range(TOOLS)], [], [])
    assert not policy.served
    asked = requests()
    took: list[float] = []
    for _ in range(CALLS // 10 if quick else CALLS):
        request = next(asked)
        start = time.perf_counter_ns()
        answer = policy.evaluate(request)
        took.append((time.perf_counter_ns() - start) / 1000)
        if not answer.permits or answer.errors:
            raise RuntimeError(f"a decision is wrong: {answer}")
    return sorted(took)


def policy_engines(quick: bool) -> list[Figure]:
    """Measure both languages; Rego only where it can be built."""
    has_rego = shutil.which("opa") is not None and importlib.util.find_spec("wasmtime") is not None
    found: list[Figure] = []
    for rules in SIZES:
        yardstick = f"decision: Cedar, {rules} rules, p50"
        how = f"in process, {TOOLS} tools, one rule in {UNSCOPED} about every call"
        took = measured(CedarPolicies(), PolicySource("bench.cedar", cedar(rules)), quick)
        base = statistics.median(took)
        found += _figures("Cedar", rules, took, how, None, base)
        if has_rego:
            took = measured(RegoPolicies(), PolicySource("bench.rego", rego(rules)), quick)
            found += _figures("Rego", rules, took, how, yardstick, base)
    return found


def _figures(
    language: str, rules: int, took: list[float], how: str, yardstick: str | None, base: float
) -> Iterator[Figure]:
    for name, value in (("p50", statistics.median(took)), ("p99", took[len(took) * 99 // 100])):
        compared = yardstick if name == "p50" else None
        yield Figure(
            name=f"decision: {language}, {rules} rules, {name}",
            value=value,
            unit="us",
            yardstick=compared,
            ratio=value / base if compared else None,
            how=how,
        )
