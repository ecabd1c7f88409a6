# SPDX-License-Identifier: Apache-2.0
"""What many policies cost: their load, a load after a change, their memory, and rules about the called tool.

Processor time of the process that serves and of the one that checks, together, in a process for each size.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

import msgspec
import psutil

from bench.figure import Figure
from bench.policy_engines import TOOLS, cedar, requests, tool
from remit.adapters.policy.cedar import CedarPolicies, cedar_apart
from remit.core.label import Classes
from remit.core.policy.vocabulary import DeclaredNames
from remit.ports.policy import PolicySource

SIZES = (100, 1_000, 10_000)
ON_ONE_TOOL = (1, 100, 1_000)
CALLS = 300
SETUP: Final = "policies: 10000 rules, set-up"
MEMORY: Final = "policies: 10000 rules, peak memory of the serving process"
#: Conditions by which many rules about one tool differ: by a word, by a pattern, and by no string.
CONDITIONS = {
    "a word each": 'context.args.path == "no{0}"',
    "a pattern each": 'context.args.path like "*no{0}*"',
    "a number each": "context.args has path && context.crossings < 0 - {0}",
}


class LoadCost(msgspec.Struct, frozen=True):
    """Seconds of processor time of three loads, and megabytes of both processes."""

    first: float
    changed: float
    again: float
    serving_mb: float
    checking_mb: float


def policy_loads(quick: bool) -> list[Figure]:
    """Measure loads, and then calls."""
    found: list[Figure] = []
    costs = {rules: _in_a_process(rules) for rules in (SIZES[:2] if quick else SIZES)}
    base = costs[SIZES[0]]
    how = f"processor time of both processes, {TOOLS} tools, one rule in ten about every call"
    for rules, cost in costs.items():
        about = f"policies: {rules} rules"
        for name, value in (
            ("set-up", cost.first),
            ("one rule changed", cost.changed),
            ("nothing changed", cost.again),
        ):
            yardstick = f"{about}, set-up"
            ratio = value / cost.first
            found.append(
                Figure(
                    name=f"{about}, {name}", value=value, unit="s", yardstick=yardstick, ratio=ratio, how=how
                )
            )
        for name, value, least in (
            ("serving", cost.serving_mb, base.serving_mb),
            ("checking", cost.checking_mb, base.checking_mb),
        ):
            found.append(
                Figure(
                    name=f"{about}, peak memory of the {name} process",
                    value=value,
                    unit="MB",
                    yardstick=f"policies: {SIZES[0]} rules, peak memory of the {name} process",
                    ratio=value / least,
                    how="resident, in a process of its own",
                )
            )
    return [*found, *_calls()]


def _calls() -> Iterator[Figure]:
    for kind, condition in CONDITIONS.items():
        took = {rules: _call_us(rules, condition) for rules in ON_ONE_TOOL}
        for rules, value in took.items():
            yield Figure(
                name=f"policies: {rules} rules on the called tool, {kind}",
                value=value,
                unit="us",
                yardstick=f"policies: {ON_ONE_TOOL[0]} rules on the called tool, {kind}",
                ratio=value / took[ON_ONE_TOOL[0]],
                how=f"median processor time of {CALLS} decisions, another argument each",
            )


def _call_us(rules: int, condition: str) -> float:
    lines = ['@id("all") permit (principal, action, resource);']
    lines += [
        f'@id("r{number}") forbid (principal, action == Action::"work/tool1", resource) '
        f"when {{ {condition.format(number)} }};"
        for number in range(rules)
    ]
    policy = CedarPolicies().load([PolicySource("bench.cedar", "\n".join(lines))], [tool(1)], [], [])
    asked, took = requests(), []
    for number in range(CALLS + 1):
        request = next(asked)
        start = time.thread_time_ns()
        answer = policy.evaluate(request)
        if number:
            took.append((time.thread_time_ns() - start) / 1e3)
        if not answer.permits or answer.errors:
            raise RuntimeError(f"a decision is wrong: {answer}")
    return statistics.median(took)


def _in_a_process(rules: int) -> LoadCost:
    command = [sys.executable, "-m", "bench.policy_loads", str(rules)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ)
    return msgspec.json.decode(done.stdout, type=LoadCost)


def _measured(rules: int) -> LoadCost:
    """Load three times in this process, whose only child is the one that checks."""
    engine, text = cedar_apart(Classes(), DeclaredNames()), cedar(rules)
    tools = [tool(one) for one in range(TOOLS)]
    kept, took = [], list[float]()
    for one in (text, text.replace('"no7"', '"another"'), text.replace('"no7"', '"another"')):
        before = _spent()
        kept.append(engine.load([PolicySource("bench.cedar", one)], tools, [], []))
        took.append(_spent() - before)
        del kept[:-1]
    (child,) = psutil.Process().children()
    first, changed, again = took
    return LoadCost(first, changed, again, _peak_mb(os.getpid()), _peak_mb(child.pid))


def _peak_mb(pid: int) -> float:
    """Return what a process has had resident at most (`getrusage` counts what started it, too)."""
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _spent() -> float:
    children = (one.cpu_times() for one in psutil.Process().children())
    return time.process_time() + sum(one.user + one.system for one in children)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_measured(int(sys.argv[1]))))
