# SPDX-License-Identifier: Apache-2.0
"""Who could call a tool at all: by task type, with the bound that cuts each other agent off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from remit.core.errors import NotFound
from remit.core.identity.principals import AgentState
from remit.core.policy.bundle import Bundle
from remit.ports.store.changes import PutAgent
from remit.ports.store.units import Unit
from remit.services.inspection.who_can import PossibleCaller, WhoCan
from tests.worlds.calls import ASK, TO_ALL, CallWorld, a_bundle, a_type, call_world
from tests.worlds.services import PERMIT

NOT_OTHER = '@id("not-other")\nforbid (principal == Agent::"other", action, resource);\n'


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk with two agents."""
    async with call_world(tmp_path) as made:
        yield made


async def asked(world: CallWorld, tool: str = "desk/write") -> WhoCan:
    """Who could call a tool."""
    return await world.services.inspection.who_can.who(tool)


async def under(world: CallWorld, policy: str, *types: object) -> None:
    """Put other policies and task types in force."""
    kinds = {one.name: one for one in types}  # type: ignore[attr-defined]
    bundle: Bundle = msgspec.structs.replace(a_bundle(policy, "sha256:under"), task_types=kinds)
    await world.services.policies.apply(bundle, by="root")
    await world.services.tools.registry.described()


def caller(found: WhoCan, agent: str) -> PossibleCaller:
    """One agent by the only way."""
    (way,) = found.ways
    return next(one for one in way.callers if one.agent == agent)


async def test_each_task_type_that_grants_a_tool_is_a_way_to_it(world: CallWorld) -> None:
    """With the agents that run it, and the people who may request it; no task is open."""
    found = await asked(world, "desk/pay")
    (way, *_) = (one for one in found.ways if one.task_type == "work")
    assert way.people == ("lena",)
    assert [(one.agent, one.may) for one in way.callers] == [("clerk", "asks"), ("other", "asks")]
    assert way.callers[0].rules == ("ask-for-money",)
    assert (found.unjudged, found.effect) == ("", "irreversible")
    assert "hello" not in {one.task_type for one in found.ways}


async def test_a_rule_about_one_agent_cuts_only_that_one(world: CallWorld) -> None:
    """The bound is the policies, and the rule is named."""
    await under(world, PERMIT + ASK + NOT_OTHER, a_type())
    found = await asked(world)
    assert (caller(found, "clerk").may, caller(found, "clerk").cut_by) == ("yes", None)
    other = caller(found, "other")
    assert (other.may, other.cut_by, other.rules) == ("no", "policy", ("not-other",))


async def test_a_rule_that_reads_an_argument_cuts_no_agent(world: CallWorld) -> None:
    """Some call may pass it."""
    rule = '@id("no-x")\nforbid (principal, action, resource) when { context.arg_names.contains("text") };\n'
    await under(world, PERMIT + rule, a_type())
    assert caller(await asked(world), "clerk").may == "yes"


async def test_a_suspended_agent_is_cut_by_its_own_state(world: CallWorld) -> None:
    """Whatever the policies say."""
    agent = await world.services.identity.directory.agent("other")
    suspended = msgspec.structs.replace(agent, state=AgentState.SUSPENDED)
    await world.services.store.commit(Unit(changes=(PutAgent(suspended),)))
    await under(world, PERMIT, a_type())
    assert caller(await asked(world), "other").cut_by == "agent"


async def test_a_task_type_that_no_person_may_request_gives_no_one_the_tool(world: CallWorld) -> None:
    """Unless the agent states the intent itself, or gets such a task from another agent."""
    await under(world, PERMIT, a_type(requested_by=("group:ghosts",), run_by=("clerk",), delegates=TO_ALL))
    found = await asked(world)
    assert caller(found, "clerk").cut_by == "person"
    assert (caller(found, "other").handed, caller(found, "other").cut_by) == (True, None)
    await under(world, PERMIT, a_type(requested_by=("agent:clerk",), requires_person=False))
    assert caller(await asked(world), "clerk").may == "yes"


async def test_agents_that_no_such_task_type_names_are_listed_apart(world: CallWorld) -> None:
    """And names that are not registered."""
    await under(world, PERMIT, a_type(run_by=("clerk", "nobody-yet")))
    found = await asked(world)
    assert found.others == ("other",)
    assert found.ways[0].unknown == ("nobody-yet",)


async def test_a_tool_that_does_not_exist_is_not_found(world: CallWorld) -> None:
    """With the way to the list."""
    with pytest.raises(NotFound) as fault:
        await asked(world, "desk/nothing")
    assert "remit tool list" in fault.value.remediation
