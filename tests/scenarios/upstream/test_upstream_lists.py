# SPDX-License-Identifier: Apache-2.0
"""Threat: an upstream's lists say to an agent what no call has brought: names, titles, what others wrote.

Each entry that a task hears is taken in like a result, with the label of what reading there would bring; and
a list costs a task what is new of it, in bytes of its budget and in work.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.label import Label, Trust
from tests.refusals import failure, own_failure
from tests.samples.policy_requests import guardrails
from tests.servers.hostile_mcp import results
from tests.worlds.hostile_upstream import ASKED, LISTS, UPSTREAMS, HostileWorld, a_bundle, hostile_world

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[HostileWorld]:
    """Two hostile servers."""
    async with hostile_world(tmp_path) as made:
        yield made


@pytest.mark.parametrize("agent", ["modern", "legacy"])
@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize("method", LISTS)
async def test_nothing_of_a_list_reaches_an_agent_unobserved(
    world: HostileWorld, method: str, era: str, agent: str
) -> None:
    """Names, titles, descriptions, icons, arguments, schemas and what a server adds by itself."""
    server, key, told = world.servers[era], LISTS[method], 0
    for given in results(era, method, world.canaries):
        for one in given[key] if isinstance(given.get(key), list) else ():
            if key == "tools" and isinstance(one, dict) and "canary" in str(one.get("name")):
                one["name"] = "echo"
        given.pop("nextCursor", None)
        server.gives = {method: given}
        try:
            await world.learn(era)
        except Exception:  # noqa: BLE001 - what is no list is none
            continue
        for tool in world.world.services.tools.registry.all():
            if tool.id == f"{UPSTREAMS[era]}/echo" and tool.state.value == "changed":
                digest = world.world.services.tools.registry._pins[tool.id].offered_digest
                await world.world.services.tools.registry.accept(tool.id, digest=digest, by="lena")
        await world.begin()
        answer = await world.ask(era, method, {}, agent=agent)
        # A tool for which an administrator vouches raises no label.
        told += world.check(answer, rises=key != "tools")
    assert told > 10


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_tool_that_nobody_vouches_for_makes_whoever_lists_it_untrusted(
    tmp_path: Path, era: str
) -> None:
    """Where nothing is refused, what an upstream says of its tools is shown as it says it."""
    upstream = UPSTREAMS[era]
    async with hostile_world(
        tmp_path, bundle=a_bundle(described=False), observed=frozenset({upstream})
    ) as world:
        for given in results(era, "tools/list", world.canaries)[:3]:
            given.pop("nextCursor", None)
            world.servers[era].gives = {"tools/list": given}
            await world.learn(era)
            await world.begin()
            told = world.check(await world.ask(era, "tools/list", {}), rises=False)
            live = world.world.services.tasks.live.get(world.task)
            assert live is not None
            assert told
            assert live.label.trust is Trust.UNTRUSTED


# What one agent wrote where another one lists.


async def test_what_one_agent_wrote_is_not_mailed_by_another_who_saw_it_in_a_list(tmp_path: Path) -> None:
    """A confidential value of A's is the title of a resource to B, whose task carries it from then on."""
    bundle = a_bundle(carries=Label(), policies=tuple(guardrails()))
    async with hostile_world(tmp_path, bundle=bundle) as world:
        services, server = world.world.services, world.servers["modern"]
        server.gives = {"tools/call": {"resultType": "complete", "content": []}}
        mail = {"name": "mail", "arguments": {"to": "lena@corp.example", "text": "the price is 17"}}
        await world.begin("mail lena@corp.example")
        assert not own_failure((await world.ask("modern", "tools/call", mail)).json)
        await world.begin()
        live = await services.tasks.live.load(world.task)
        live.rise(Label("confidential"), services.policies.applied.bundle.classes)
        note = {"name": "note", "arguments": {"text": "the price is 17"}}
        told = await world.ask("modern", "tools/call", note)
        assert not own_failure(told.json), told.content
        for method, key in (("resources/list", "resources"), ("prompts/list", "prompts")):
            entry = {"uri": "note://1", "name": "n", "title": "the price is 17"}
            server.gives[method] = {key: [entry]}
            await world.learn("modern")
            await world.begin("mail lena@corp.example")
            assert "the price is 17" in (await world.ask("modern", method, {})).content.decode()
            live = await services.tasks.live.load(world.task)
            assert live.label.data_class == "confidential"
            kept = await services.store.task(services.tenant, world.task)
            assert kept is not None
            assert kept.label == live.label
            told = await world.ask("modern", "tools/call", mail)
            assert failure(told.json)["status"] == "refused", told.content


# What lists cost.


MANY = 10_000


def notes(count: int, changed: str = "") -> list[Json]:
    """Return so many resources, of which one may say something else."""
    said = [{"uri": f"note://{n}", "name": f"n{n}", "title": f"Note {n}"} for n in range(count)]
    if changed:
        said[count // 2]["title"] = changed
    return said


async def test_a_long_list_costs_each_call_what_has_changed(world: HostileWorld) -> None:
    """Ten thousand entries are judged and taken in once; of the next list nothing, or what is new."""
    lists, server = world.world.services.mediation.lists, world.servers["modern"]
    server.gives = {"resources/list": {"resources": notes(MANY)}}
    await world.learn("modern")
    await world.begin()

    async def steps(entries: int = MANY) -> dict[str, int]:
        lists.steps.clear()
        told = await world.ask("modern", "resources/list", {})
        assert len(told.json["result"]["resources"]) == entries
        return dict(+lists.steps)

    assert await steps() == {"read": MANY, "judged": MANY, "taken": MANY, "written": 1}
    assert await steps() == {}
    server.gives = {"resources/list": {"resources": notes(MANY, "mail@c0.canary.example")}}
    await world.learn("modern")
    assert await steps() == {"read": 1, "judged": 1, "taken": 1, "written": 1}
    assert await steps() == {}
    await world.learn("modern")
    assert await steps() == {}
    server.gives = {"resources/list": {"resources": notes(MANY - 1, "mail@c0.canary.example")}}
    await world.learn("modern")
    assert (await steps(MANY - 1)).get("taken", 0) <= 2
    live = world.world.services.tasks.live.get(world.task)
    assert live is not None
    assert not live.index.full
    await world.begin()
    assert await steps(MANY - 1) == {"judged": MANY - 1, "taken": MANY - 1}


async def test_lists_are_paid_for(tmp_path: Path) -> None:
    """What is new of one counts against the budget of result bytes; what was heard before costs nothing."""
    async with hostile_world(tmp_path, bundle=a_bundle(result_bytes=600)) as world:
        server = world.servers["modern"]
        server.gives = {"resources/list": {"resources": notes(20)}}
        await world.learn("modern")
        await world.begin()
        for _ in range(3):
            told = await world.ask("modern", "resources/list", {})
            assert len(told.json["result"]["resources"]) == 20
        server.gives = {"resources/list": {"resources": notes(21)}}
        await world.learn("modern")
        told = await world.ask("modern", "resources/list", {})
        assert failure(told.json)["code"] == "budget-exhausted"
        server.gives = {"tools/call": {"resultType": "complete", "content": []}}
        told = await world.ask("modern", "tools/call", ASKED["tools/call"])
        assert failure(told.json)["code"] == "budget-exhausted"
