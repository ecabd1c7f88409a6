# SPDX-License-Identifier: Apache-2.0
"""Decisions in process at 10 to 10,000 rules and 100 to 100,000 tools, and governed calls beside many rules.

The rules say the same in Cedar and in Rego. Each speaks about one of fifty tools, except one in ten, which
speaks about every call. Rego needs the program `opa`, and is left out without it.
"""

import importlib.util
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from bench.figure import Figure
from bench.governed_bundle import UPSTREAM, write_bundle
from bench.measure import layout, running_upstream
from bench.serve_governed import open_task
from bench.stages import Nowhere
from bench.target import confined
from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.rego import RegoPolicies
from remit.compose import open_services
from remit.config import load_config
from remit.core.decisions.access_request import AccessRequest
from remit.core.flow.facts import Flow, FlowFacts
from remit.core.identity.principals import Agent, Principal
from remit.core.identity.workload import Assurance
from remit.core.label import Audience, Label
from remit.core.tasks.task import Intent, Task
from remit.core.tools.tool import Effect, Tool
from remit.ports.policy import PolicyEngine, PolicySource
from remit.services.mediation.mediator import RequestedCall

SIZES = (10, 100, 1_000, 10_000)
TOOLS = 50
#: Tools that the policies may name; each is an entity, with a type of its arguments.
ENTITIES = (100, 1_000, 10_000, 100_000)
P50_OF_1_000: Final = "decision: Cedar, 1000 rules, p50"
P50_OF_10_000: Final = "decision: Cedar, 10000 rules, p50"
REGO_OF_1_000: Final = "decision: Rego, 1000 rules, p50"
REGO_OF_10_000: Final = "decision: Rego, 10000 rules, p50"
FEW: Final = "governed call: 100 rules"
MANY: Final = "governed call: 10000 rules"
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


def measured(engine: PolicyEngine, source: PolicySource, quick: bool, tools: int = TOOLS) -> list[float]:
    """Return the microseconds of each decision; raises where a decision is wrong."""
    policy = engine.load([source], [tool(number) for number in range(tools)], [], [])
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
    for rules in SIZES[:3] if quick else SIZES:
        yardstick = f"decision: Cedar, {rules} rules, p50"
        how = f"in process, {TOOLS} tools, one rule in {UNSCOPED} about every call"
        took = measured(CedarPolicies(), PolicySource("bench.cedar", cedar(rules)), quick)
        base = statistics.median(took)
        found += _figures("Cedar", rules, took, how, None, base)
        if has_rego:
            took = measured(RegoPolicies(), PolicySource("bench.rego", rego(rules)), quick)
            found += _figures("Rego", rules, took, how, yardstick, base)
    for tools in ENTITIES[:2] if quick else ENTITIES:
        how = f"in process, 100 rules, {tools} tools, one rule in {UNSCOPED} about every call"
        took = measured(CedarPolicies(), PolicySource("bench.cedar", cedar(100)), quick, tools)
        found += _figures("Cedar", f"{tools} tools", took, how, None, statistics.median(took))
    return [*found, *uvloop.run(governed(quick))]


async def governed(quick: bool) -> list[Figure]:
    """Return what a call costs beside few and beside many rules, by turns in one process."""
    rounds, sizes = (20, (100, 1_000)) if quick else (60, (100, 10_000))
    cpus, took = layout(), {rules: list[float]() for rules in sizes}
    async with AsyncExitStack() as stack:
        upstream = stack.enter_context(running_upstream(cpus.others))
        stack.enter_context(confined(cpus.target))
        calls = {rules: await _caller(stack, upstream.url, rules) for rules in sizes}
        for turn in range(rounds):
            for rules, call in calls.items():
                for number in range(50):
                    start = time.perf_counter_ns()
                    await call(turn * 50 + number)
                    if turn:
                        took[rules].append((time.perf_counter_ns() - start) / 1e3)
    few, many = (statistics.median(took[rules]) for rules in sizes)
    how = f"median of {len(took[sizes[0]])} calls without the endpoint, one at a time, by turns"
    return [
        Figure(name=f"governed call: {sizes[0]} rules", value=few, unit="us", how=how),
        Figure(
            name=f"governed call: {sizes[1]} rules",
            value=many,
            unit="us",
            yardstick=FEW,
            ratio=many / few,
            how=how,
        ),
    ]


async def _caller(stack: AsyncExitStack, url: str, rules: int) -> Callable[[int], Coroutine[Any, Any, None]]:
    """Return what makes a call at a remit with so many rules."""
    folder = stack.enter_context(_folder())
    config = load_config(write_bundle(folder, url, 8700, "buffered", policies=rules))
    services = await stack.enter_async_context(open_services(config))
    token, sink = await open_task(services), Nowhere()

    async def call(number: int) -> None:
        text = f"call {number:08d} the quick brown fox jumps over the lazy dog and"
        asked = RequestedCall(token=token, upstream=UPSTREAM, name="echo", arguments={"text": text})
        await services.mediation.mediator.run(asked, sink)

    return call


@contextmanager
def _folder() -> Iterator[Path]:
    build = Path("build")
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-rules-", dir=build) as name:
        yield Path(name)


def _figures(
    language: str, size: int | str, took: list[float], how: str, yardstick: str | None, base: float
) -> Iterator[Figure]:
    about = f"{size} rules" if isinstance(size, int) else size
    for name, value in (("p50", statistics.median(took)), ("p99", took[len(took) * 99 // 100])):
        compared = yardstick if name == "p50" else None
        yield Figure(
            name=f"decision: {language}, {about}, {name}",
            value=value,
            unit="us",
            yardstick=compared,
            ratio=value / base if compared else None,
            how=how,
        )
