# SPDX-License-Identifier: Apache-2.0
"""Handing a task down in a living gateway: what a child gets, what it spends, and what ends it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.decisions.decision import Outcome
from remit.core.errors import Fenced, Forbidden, RemitError
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Agent, AgentState
from remit.core.identity.workload import SpiffeBinding
from remit.core.label import Label
from remit.core.scope import ScopeKind
from remit.core.tasks.grant import Grant, GrantTemplate
from remit.core.tasks.task import Budgets, HandDown, Task, TaskState
from remit.services.identity.directory import NewAgent
from remit.services.tasks.opening_rules import DelegatedOpening
from tests.samples.tokens import task_token
from tests.worlds.calls import READ, TO_ALL, CallWorld, a_bundle, a_type, call_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk with types that may be handed down, and two helpers beside `other`."""
    async with call_world(tmp_path) as made:
        bundle = a_bundle()
        for one in (
            a_type("shared", grants=(READ,), delegates=TO_ALL, budgets=Budgets(calls=3)),
            a_type("flat", grants=(READ,), delegates=HandDown(("other", "group:helpers"), 1)),
            a_type(
                "counted",
                grants=(GrantTemplate("desk/read", other_arguments=True, ceilings={"calls": 2}),),
                delegates=TO_ALL,
            ),
            a_type("bytes", grants=(READ,), delegates=TO_ALL, budgets=Budgets(result_bytes=10)),
            a_type("reading", run_by=("other",), grants=(READ,), deadline_s=60, budgets=Budgets(calls=1)),
        ):
            bundle.task_types[one.name] = one
        await made.services.policies.apply(bundle, by="root")
        for name in ("helper-1", "helper-2"):
            new = NewAgent(
                name=name,
                owner="omar",
                purpose="helps",
                groups=("helpers",),
                bindings=(SpiffeBinding(f"spiffe://example.org/{name}"),),
            )
            await made.services.identity.directory.register(new, by="root")
        yield made


async def agent(world: CallWorld, name: str) -> Agent:
    """Return an agent."""
    return await world.services.identity.directory.agent(name)


async def hand(world: CallWorld, parent: Task, to: str = "other", **wanted: Any) -> tuple[Task, str]:
    """Hand a task down; gives the child with a token."""
    child = await world.services.tasks.tasks.open_child(
        parent.id, await agent(world, to), DelegatedOpening(**wanted)
    )
    return child, await task_token(world.services, child.id)


async def refused(world: CallWorld, parent: Task, to: str = "other", **wanted: Any) -> str:
    """Handing down is refused, and the evidence says so; gives the code."""
    with pytest.raises(RemitError) as told:
        await hand(world, parent, to, **wanted)
    facts = (await world.facts(EventKind.TASK_REFUSED))[-1]
    assert (facts["code"], facts["parent"]) == (told.value.code, parent.id)
    return told.value.code


async def test_a_child_works_for_the_same_person_under_its_own_name(world: CallWorld) -> None:
    """The chain is whole in task, token and evidence; the intent is the person's."""
    parent, _ = await world.open("shared", goal="tidy up")
    child, token = await hand(world, parent, brief="you do the reading")
    grandchild, deep = await hand(world, child, "helper-1")
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert await world.outcome(deep, "read") is Outcome.PERMIT
    assert grandchild.actors == ("helper-1", "other", "clerk")
    assert (grandchild.on_behalf_of, grandchild.intent) == ("lena", parent.intent)
    opened = (await world.facts(EventKind.TASK_OPENED))[-1]
    assert (opened["parent"], opened["chain"]) == (child.id, ["helper-1", "other", "clerk"])
    decided = (await world.facts(EventKind.DECISION_MADE))[-1]
    assert decided["chain"] == ["helper-1", "other", "clerk"]
    claims = world.services.identity.authenticator.claims(deep, world.clock.now())
    assert [actor.name for actor in claims.chain] == ["helper-1", "other", "clerk"]
    assert claims.subject == "lena"


async def test_nothing_is_handed_to_whom_the_type_does_not_name(world: CallWorld) -> None:
    """Nor back up the chain, nor deeper than it says, nor from a type that says nothing."""
    parent, _ = await world.open("flat")
    plain, _ = await world.open("work")
    assert await refused(world, plain) == "delegate"
    child, _ = await hand(world, parent)
    assert await refused(world, parent, "clerk") == "delegation-cycle"
    assert await refused(world, child, "clerk") == "delegation-cycle"
    assert await refused(world, child, "helper-1") == "delegation-depth"


async def test_a_child_holds_no_more_than_its_parent(world: CallWorld) -> None:
    """A tool that the parent does not hold is refused by name; an argument is narrowed for good."""
    parent, _ = await world.open("shared")
    assert (
        await refused(world, parent, grants=(Grant("desk/pay", other_arguments=True),)) == "tool-not-granted"
    )
    assert await refused(world, parent, tools=("desk/pay",)) == "tool-not-granted"
    narrow = Grant("desk/read", {"text": {"exact": "a"}})
    child, token = await hand(world, parent, grants=(narrow,))
    assert await world.outcome(token, "read", text="b") is Outcome.DENY
    wide = Grant("desk/read", other_arguments=True)
    _, deep = await hand(world, child, "helper-1", grants=(wide,))
    assert await world.outcome(deep, "read", text="b") is Outcome.DENY
    assert await world.outcome(deep, "read", text="a") is Outcome.PERMIT


async def test_a_child_type_of_its_own_binds_as_well(world: CallWorld) -> None:
    """Its grants, deadline and budgets, and the parent's; and its agent must be one that runs it."""
    parent, _ = await world.open("shared")
    child, token = await hand(world, parent, task_type="reading")
    assert child.deadline == world.clock.now() + timedelta(seconds=60)
    assert child.budgets.calls == 1
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert await world.outcome(token, "read") is Outcome.DENY
    assert await refused(world, parent, "helper-1", task_type="reading") == "forbidden"


async def test_a_child_spends_what_its_parent_has(world: CallWorld) -> None:
    """Three calls in all, whichever task makes them; the parent's last one is gone with the child's."""
    parent, token = await world.open("shared")
    _, first = await hand(world, parent)
    _, second = await hand(world, parent, "helper-1")
    assert [await world.outcome(one, "read") for one in (first, second, token)] == [Outcome.PERMIT] * 3
    for one in (first, second, token):
        assert await world.outcome(one, "read") is Outcome.DENY


async def test_children_share_the_ceiling_of_their_parents_grant(world: CallWorld) -> None:
    """A ceiling on a grant is not multiplied by handing it down."""
    parent, token = await world.open("counted")
    child, first = await hand(world, parent)
    _, second = await hand(world, child, "helper-1")
    assert await world.outcome(first, "read") is Outcome.PERMIT
    assert await world.outcome(second, "read") is Outcome.PERMIT
    for one in (first, second, token):
        assert await world.outcome(one, "read") is Outcome.DENY


async def test_a_ceiling_is_shared_however_the_calls_come_together(world: CallWorld) -> None:
    """Many at once from two children and the parent: as many pass as the ceiling says, and no more."""
    parent, token = await world.open("counted")
    tokens = [token, *[(await hand(world, parent, to))[1] for to in ("other", "helper-1")]]
    outcomes = await asyncio.gather(
        *(world.outcome(one, "read") for one in tokens * 4), return_exceptions=True
    )
    assert outcomes.count(Outcome.PERMIT) == 2


async def test_what_a_child_reads_counts_for_its_parent(world: CallWorld) -> None:
    """A budget of result bytes that a child used up is used up."""
    parent, token = await world.open("bytes")
    _, first = await hand(world, parent)
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert await world.outcome(first, "read") is Outcome.DENY
    assert await world.outcome(token, "read") is Outcome.DENY


@pytest.mark.parametrize("what", ["parent", "grandparent", "agent", "owner", "person", "upper-agent"])
async def test_what_ends_an_ancestor_ends_all_below(world: CallWorld, what: str) -> None:
    """An end of the task above, its agent, that agent's owner, or the person behind all of them ends the
    child.
    """
    top, _ = await world.open("shared")
    middle, _ = await hand(world, top)
    low, token = await hand(world, middle, "helper-1")
    assert await world.outcome(token, "read") is Outcome.PERMIT
    revocations = world.services.endings.revocations
    match what:
        case "parent":
            await revocations.end_task(middle.id, reason="x", by="root")
        case "grandparent":
            await revocations.end_task(top.id, reason="x", by="root", state=TaskState.COMPLETED)
        case "agent":
            await world.services.identity.directory.move("other", AgentState.SUSPENDED, by="root", reason="x")
        case "upper-agent":
            await world.services.identity.directory.move("clerk", AgentState.SUSPENDED, by="root", reason="x")
        case "owner":
            await revocations.end_scope(ScopeKind.OWNER, "lena", reason="x", by="root")
        case _:
            await revocations.end_scope(ScopeKind.PERSON, "lena", reason="x", by="root")
    with pytest.raises(Fenced):
        await world.call(token, "read")
    assert (await world.services.tasks.tasks.get(low.id)).state.ended


async def test_no_child_of_what_has_ended(world: CallWorld) -> None:
    """Nor of a parent whose tool was ended since it was opened: the child does not get it back."""
    parent, _ = await world.open("shared")
    await world.services.endings.revocations.end_scope(ScopeKind.TOOL, "desk/read", reason="odd", by="root")
    _, token = await hand(world, parent)
    with pytest.raises(Fenced):
        await world.call(token, "read")
    await world.services.endings.revocations.end_task(parent.id, reason="x", by="root")
    with pytest.raises(Fenced):
        await hand(world, parent, "helper-1")


async def test_no_child_slips_through_while_its_parent_ends(world: CallWorld) -> None:
    """Whichever comes first: the child is refused, or ended with its parent."""
    for _ in range(10):
        parent, _ = await world.open("shared")
        other = await agent(world, "other")
        opening = asyncio.create_task(
            world.services.tasks.tasks.open_child(parent.id, other, DelegatedOpening())
        )
        ending = asyncio.create_task(
            world.services.endings.revocations.end_task(parent.id, reason="x", by="root")
        )
        child, _ = await asyncio.gather(opening, ending, return_exceptions=True)
        if isinstance(child, Task):
            live = await world.services.tasks.live.load(child.id)
            with pytest.raises(Fenced):
                world.services.tasks.live.check(live, world.clock.now())


async def test_a_child_falls_with_the_lease_of_its_parent(world: CallWorld) -> None:
    """The child ends before the renewal of the lease was checked."""
    parent, _ = await world.open("shared", lease_s=10)
    _, token = await hand(world, parent)
    assert await world.outcome(token, "read") is Outcome.PERMIT
    world.clock.advance(11)
    with pytest.raises(Fenced):
        await world.call(token, "read")


async def test_a_child_carries_what_its_parent_has_read(world: CallWorld) -> None:
    """Its label begins where its parent's stands."""
    parent, token = await world.open("shared")
    await world.call(token, "read")
    child, _ = await hand(world, parent)
    assert child.label == world.services.tasks.live.get(parent.id).label != Label()  # type: ignore[union-attr]


async def test_a_token_that_tells_of_another_chain_is_refused(world: CallWorld) -> None:
    """A child's token says who handed down; one that leaves a link out is no token of the task."""
    parent, _ = await world.open("shared")
    child, token = await hand(world, parent)
    claims = world.services.identity.authenticator.claims(token, world.clock.now())
    for chain in ((), claims.chain[:1]):
        with pytest.raises(RemitError, match="another"):
            await world.services.tasks.live.bind(
                msgspec.structs.replace(claims, chain=chain), world.clock.now()
            )
    assert (await world.services.tasks.live.bind(claims, world.clock.now())).task.id == child.id


async def test_only_an_agent_in_service_is_handed_anything(world: CallWorld) -> None:
    """A suspended heir gets nothing."""
    parent, _ = await world.open("shared")
    await world.services.identity.directory.move("other", AgentState.SUSPENDED, by="root", reason="x")
    with pytest.raises(Forbidden):
        await hand(world, parent)
