# SPDX-License-Identifier: Apache-2.0
"""Evaluations of one turn of the loop are made one after another, and each stands alone."""

import asyncio
from typing import Any, ClassVar, Literal, cast

import pytest

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import PolicyAnswer, RuleRef
from remit.core.identity.principals import Agent
from remit.core.tools.tool import Tool
from remit.ports.policy import RuleInForce
from remit.services.policy.evaluation import Evaluations


class ByName:
    """A policy that answers with the request's name, and cannot take the name `odd`."""

    served: ClassVar[Literal[False]] = False
    digest = "sha256:by-name"
    history: frozenset[str] = frozenset()

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self.asked: list[str] = []

    def rules(self) -> list[RuleInForce]:
        """None."""
        return []

    def applicable(self, tool: Tool, agent: Agent) -> frozenset[RuleRef]:
        """None."""
        return frozenset()

    def without(self, rules: frozenset[str]) -> "ByName":
        """It has no rules."""
        return self

    def facts(self, request: AccessRequest, rule: str) -> dict[str, Any]:
        """None."""
        return {}

    def evaluate(self, request: AccessRequest) -> PolicyAnswer:
        """Answer with the name."""
        name = cast(Any, request)
        self.asked.append(name)
        if name == "odd":
            raise ValueError(name)
        return PolicyAnswer(errors=(name,))


def named(name: str) -> AccessRequest:
    """Return a stand-in for a request, which `Evaluations` hands on without looking at it."""
    return cast(AccessRequest, name)


async def test_each_request_gets_its_own_answer_from_its_own_policy() -> None:
    """Requests of one turn are evaluated in their order, each by the policy that it came with."""
    together, first, second = Evaluations(), ByName(), ByName()
    answers = await asyncio.gather(
        together.of(first, named("a")), together.of(second, named("b")), together.of(first, named("a"))
    )
    assert [one.errors for one in answers] == [("a",), ("b",), ("a",)]
    assert (first.asked, second.asked) == (["a", "a"], ["b"])


async def test_a_policy_server_is_waited_for() -> None:
    """What a server decides is asked of it, also by a call that is alone, and holds up no other call."""

    class Server:
        served: ClassVar[Literal[True]] = True
        digest = "sha256:served"
        history: frozenset[str] = frozenset()

        def __init__(self) -> None:
            self.may_answer = asyncio.Event()

        def rules(self) -> list[RuleInForce]:
            return []

        async def ask(self, request: AccessRequest) -> PolicyAnswer:
            await self.may_answer.wait()
            return PolicyAnswer(errors=(cast(Any, request),))

    together, server = Evaluations(), Server()
    together.calls = 1
    waiting = asyncio.create_task(together.of(server, named("a")))
    assert (await together.of(ByName(), named("b"))).errors == ("b",)
    assert not waiting.done()
    server.may_answer.set()
    assert (await waiting).errors == ("a",)


async def test_a_fault_is_its_own_callers_alone() -> None:
    """What a policy raises for one request reaches who asked it, and the others are answered."""
    together, policy = Evaluations(), ByName()
    answers = await asyncio.gather(
        together.of(policy, named("odd")), together.of(policy, named("b")), return_exceptions=True
    )
    assert isinstance(answers[0], ValueError)
    assert answers[1] == PolicyAnswer(errors=("b",))


async def test_who_has_gone_is_not_evaluated() -> None:
    """A caller that was cancelled before its turn costs nothing, and nothing is left for the next turn."""
    together, policy = Evaluations(), ByName()
    gone = asyncio.ensure_future(together.of(policy, named("gone")))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert (await together.of(policy, named("b"))).errors == ("b",)
    assert "gone" not in policy.asked[1:]


async def test_a_call_that_is_alone_is_evaluated_in_the_turn_in_which_it_asks() -> None:
    """No other call could arrive in the meantime."""
    together, policy = Evaluations(), ByName()
    together.calls = 1
    with pytest.raises(StopIteration) as end:
        together.of(policy, named("a")).send(None)
    assert end.value.value == PolicyAnswer(errors=("a",))


async def test_one_of_several_waits_for_the_others_of_its_turn() -> None:
    """They are evaluated together."""
    together, policy = Evaluations(), ByName()
    together.calls = 2
    asking = asyncio.ensure_future(together.of(policy, named("a")))
    await asyncio.sleep(0)
    assert policy.asked == []
    assert await asking == PolicyAnswer(errors=("a",))
