# SPDX-License-Identifier: Apache-2.0
"""A person who may have policies checked sends texts made to end or to block the process that reads them."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.cedar.checks.checker_process import CheckerProcess
from remit.adapters.policy.cedar.checks.known_check import IncrementalCheck
from remit.compose import policy_engine
from remit.config import Config
from remit.core.errors import Busy
from remit.ports.policy import Problem
from remit.services.policy.bundle import MAX_CHECKS
from tests.samples.policy_requests import CLERK, SUMMARISE, TOOLS, source, tool
from tests.worlds.services import ServiceWorld, a_bundle, service_world

PLAIN = "permit (principal, action, resource);"


def when(condition: str) -> str:
    """A policy with this condition."""
    return f"permit (principal, action, resource) when {{ {condition} }};"


def errors(found: list[Problem]) -> list[Problem]:
    """Return the problems that keep policies from being loaded."""
    return [one for one in found if one.severity == "error"]


def engine(computing_s: int = 10) -> CedarPolicies:
    """Return Cedar in its own process, with this bound."""
    return CedarPolicies(examine=IncrementalCheck(CheckerProcess(computing_s=computing_s)))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway with the engine of a real start."""
    async with service_world(tmp_path, engine=policy_engine(Config(upstreams={}))) as made:
        yield made


async def test_brackets_in_brackets_are_an_answer(world: ServiceWorld) -> None:
    """700 nested brackets ended the process that read them; now the answer names the place, and service goes
    on.
    """
    text = when("(" * 700 + "true" + ")" * 700)
    sent = {"policies": [{"file": "deep.cedar", "text": f"{PLAIN}\n\n{text}"}]}
    told = await world.ask("POST", "/api/v1/policies/check", sent, by=await world.session("root"))
    (problem,) = told.json["problems"]
    assert (told.json["sound"], problem["file"], problem["line"]) == (False, "deep.cedar", 3)
    assert "brackets are nested" in problem["text"]
    assert problem["remediation"]


def test_a_child_that_has_idled_to_its_end_takes_no_request_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends just after a request was written to its pipe, unread; another child answers the request."""
    checker = CheckerProcess()
    ends = [sys.executable, "-c", "import sys; sys.stdin.buffer.raw.read(1)"]
    first = subprocess.Popen(ends, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    monkeypatch.setattr(checker, "_child", first)
    monkeypatch.setattr(checker, "_end", first.wait)
    apart = CedarPolicies(examine=IncrementalCheck(checker))
    with first:
        assert not errors(apart.check(source(PLAIN), TOOLS, [SUMMARISE]))


@pytest.mark.parametrize(
    "condition",
    [
        "context" + ".a" * 20_000 + " == 1",
        " && ".join(["true"] * 20_000),
        'if context.tier == "a" then true else ' * 6_000 + "true",
    ],
    ids=["attributes", "operators", "conditionals"],
)
def test_what_ends_cedar_is_a_problem_of_the_text(condition: str) -> None:
    """Chains need no brackets. The process that reads them ends; the next text is read by another."""
    apart = engine()
    (problem,) = apart.check(source(when(condition)), TOOLS, [SUMMARISE])
    assert problem.severity == "error"
    assert problem.remediation
    assert errors(apart.check(source(PLAIN), TOOLS, [SUMMARISE])) == []


@pytest.mark.parametrize("operator", ["||", "&&", "+"])
def test_what_cedar_cannot_compile_is_said_when_it_is_checked(operator: str) -> None:
    """A chain that Cedar reads and does not compile passed the check, and then every call was refused."""
    chain = f" {operator} ".join(["context.crossings" if operator == "+" else "context.cleared"] * 200)
    text = when(chain + (" > 1" if operator == "+" else ""))
    (problem,) = CedarPolicies().check(source(text), TOOLS, [SUMMARISE])
    assert "more operators than Cedar compiles" in problem.text


def test_what_computes_for_too_long_is_stopped() -> None:
    """Each kind of tool has to be held against each rule that reads all arguments: so many come to no end."""
    tools = [tool("many", f"t{one}", {f"own{one}": {"type": "string"}}) for one in range(2_000)]
    read = "context.args == context.args && context.crossings >"
    rules = [f'@id("r{one}") {when(f"{read} {one}")}' for one in range(3_000)]
    (problem,) = engine(computing_s=1).check(source("\n".join(rules)), tools, [SUMMARISE])
    assert re.search("takes longer than [0-9]+ seconds", problem.text)


def test_rules_that_come_back_are_those_that_went() -> None:
    """What the other process gives is what this one would have given: the same rules and digests."""
    text = when('context has args && context.args has path && context.args.path like "a*"')
    here, there = (
        one.load(source(f"{PLAIN}\n{text}"), TOOLS, [SUMMARISE], [CLERK])
        for one in (CedarPolicies(), engine())
    )
    assert list(here.rules()) == list(there.rules())
    assert here.digest == there.digest


async def test_calls_go_on_while_policies_are_checked(world: ServiceWorld) -> None:
    """A check holds neither the event loop nor what an administrator applies meanwhile."""
    rules = "\n".join(f'@id("r{one}") {when(f"context.crossings > {one}")}' for one in range(300))
    checking = asyncio.create_task(world.services.policies.check(a_bundle(policy=rules)))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not checking.done()
    await world.services.policies.apply(a_bundle(digest="sha256:meanwhile"), by="root")
    assert errors(await checking) == []


async def test_many_who_check_at_once_are_told_to_wait(world: ServiceWorld) -> None:
    """Checks wait for each other, and no more than a few do."""

    async def check() -> list[Problem] | Busy:
        try:
            return await world.services.policies.check(a_bundle())
        except Busy as refused:
            return refused

    answers = await asyncio.gather(*(check() for _ in range(MAX_CHECKS + 3)))
    refused = [one for one in answers if isinstance(one, Busy)]
    assert len(refused) == 3
    assert refused[0].remediation
    assert errors(await world.services.policies.check(a_bundle())) == []
