# SPDX-License-Identifier: Apache-2.0
"""Who: one answer for a token, a task, an agent, a workload, a person, down to what it rests on."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.errors import NotFound
from remit.core.findings.kinds import FindingKind
from remit.core.identity.workload import IssuerBinding, KeyBinding, LocalBinding, SpiffeBinding, workload_of
from remit.core.tasks.task import HandDown, TaskType
from remit.services.inspection.who import is_token
from remit.services.people.delegations import NewDelegation
from remit.services.tasks.opening_rules import DelegatedOpening, Opening
from tests.samples.tokens import agent_token, task_token
from tests.worlds.calls import KEYS, CallWorld, a_bundle, a_type, call_world

SPIFFE = "spiffe://example.org/legal/clerk.v1.2"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk whose work may be handed down, and a clerk with an SVID."""
    async with call_world(tmp_path) as made:
        bundle = a_bundle()
        shared: TaskType = a_type("shared", delegates=HandDown(("other",)))
        bundle.task_types["shared"] = shared
        await made.services.policies.apply(bundle, by="root")
        await made.services.identity.directory.bind("clerk", SpiffeBinding(SPIFFE), by="root")
        yield made


def facts(fact: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a fact and all that it rests on."""
    yield fact
    for below in fact["below"]:
        yield from facts(below)


def says(told: dict[str, Any]) -> str:
    """Return all lines of a proof."""
    return "\n".join(one["says"] for one in facts(told["proof"]))


async def test_an_agent_rests_on_its_bindings_and_its_owner(world: CallWorld) -> None:
    """Each way in which it may prove itself, who registered it, who answers."""
    told = await world.services.inspection.who.of("clerk")
    lines = says(told)
    for one in (SPIFFE, workload_of(KeyBinding(KEYS["clerk"])), "by root", "owned by lena"):
        assert one in lines
    assert (told["assurance"], told["best_assurance"]) == ("", "attested")
    assert all(one["holds"] for one in facts(told["proof"]))


async def test_what_does_not_hold_any_more_is_marked(world: CallWorld) -> None:
    """An owner who is gone, and the finding about that."""
    await world.services.identity.personnel.deactivate("lena", by="root")
    told = await world.services.inspection.who.of("clerk")
    assert told["findings"] == [FindingKind.OWNERLESS.value]
    broken = [one["says"] for one in facts(told["proof"]) if not one["holds"]]
    assert broken == ["owned by lena, who is not active"]


async def test_a_workload_is_its_agent(world: CallWorld) -> None:
    """By its SPIFFE ID, dots and all, by the thumbprint of a key, by issuer and subject."""
    bound = IssuerBinding("https://issuer.example", "repo:acme/app")
    await world.services.identity.directory.bind("other", bound, by="root")
    for name, agent in (
        (SPIFFE, "clerk"),
        (workload_of(KeyBinding(KEYS["other"])), "other"),
        ("https://issuer.example#repo:acme/app", "other"),
    ):
        told = await world.services.inspection.who.of(name)
        assert (told["kind"], told["workload"]) == ("workload", name)
        assert [one["agent"] for one in told["agents"]] == [agent]
    with pytest.raises(NotFound):
        await world.services.inspection.who.of("spiffe://example.org/nobody")


async def test_a_token_of_a_child_tells_the_whole_chain(world: CallWorld) -> None:
    """The chain goes from the agent that acts to the person behind the task; the token itself is nowhere in
    the answer.
    """
    parent, _ = await world.open("shared")
    other = await world.services.identity.directory.agent("other")
    child = await world.services.tasks.tasks.open_child(parent.id, other, DelegatedOpening())
    token = await task_token(world.services, child.id)
    told = await world.services.inspection.who.of(token)
    assert told["valid"]
    assert (told["agent"], told["chain"], told["on_behalf_of"]) == ("other", ["other", "clerk"], "lena")
    lines = says(told)
    for one in (
        f"delegated by clerk from task {parent.id}",
        "on behalf of lena",
        "requested by lena",
    ):
        assert one in lines
    written = json.dumps(told)
    assert token not in written
    assert token.rpartition(".")[2] not in written
    await world.services.endings.revocations.end_task(parent.id, reason="x", by="root")
    dead = await world.services.inspection.who.of(token)
    assert (dead["valid"], dead["code"], dead["token"]) == (False, "task-ended", told["token"])


async def test_a_delegation_stands_in_the_proof(world: CallWorld) -> None:
    """And once it is revoked, that it is no longer valid."""
    record = await world.services.people.delegations.add(
        NewDelegation(agent="clerk", task_type="work"), await world.person("lena")
    )
    clerk = await world.services.identity.directory.agent("clerk")
    opening = Opening(agent="clerk", task_type="work", on_behalf_of="lena")
    task = await world.services.tasks.tasks.open(opening, agent=clerk)
    told = await world.services.inspection.who.of(task.id)
    assert f"delegation {record.id}" in says(told)
    assert [one["delegation"] for one in (await world.services.inspection.who.of("lena"))["delegations"]] == [
        record.id
    ]
    await world.services.people.delegations.revoke(record.id, by="lena", reason="")
    told = await world.services.inspection.who.of(task.id)
    assert "is no longer valid" in says(told)
    assert not told["proof"]["holds"]
    assert (await world.services.inspection.who.of("lena"))["delegations"] == []


async def test_a_token_that_is_no_good_says_nothing_of_anybody(world: CallWorld) -> None:
    """Neither a forged nor an expired one."""
    token = await agent_token(world.services, await world.services.identity.directory.agent("clerk"))
    told = await world.services.inspection.who.of(token)
    assert told["valid"]
    assert told["task"] is None
    forged = token[:-8] + "AAAAAAAA"
    world.clock.advance(3600)
    for text in (forged, token):
        told = await world.services.inspection.who.of(text)
        assert set(told) == {"kind", "valid", "code", "reason"}
        assert not told["valid"]


async def test_what_may_be_done_is_told_at_the_assurance_that_the_agent_has(world: CallWorld) -> None:
    """An agent that is known by the kernel's word alone is told that it may only read."""
    directory = world.services.identity.directory
    await directory.bind("other", LocalBinding(1000, "0" * 64), by="root")
    await directory.unbind("other", workload_of(KeyBinding(KEYS["other"])), by="root")
    task, _ = await world.open(agent="other")
    for tool, outcome in (("desk/read", "permit"), ("desk/write", "deny")):
        told = await world.services.inspection.reports.can(task.id, tool, {})
        assert told["tasks"][0]["tools"][0]["outcome"] == outcome


@pytest.mark.parametrize("name", ["a.b.c", SPIFFE, "eyJ.a.b", "jkt:abc", "https://a.b.c#x"])
def test_a_name_with_dots_is_no_token(name: str) -> None:
    """A token is known by its form, not by the number of its dots."""
    assert not is_token(name)
