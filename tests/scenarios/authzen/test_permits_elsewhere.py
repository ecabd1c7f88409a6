# SPDX-License-Identifier: Apache-2.0
"""Threat: a permit that another enforcement point holds outlives the end of its task unseen.

remit cannot cut what others carry out. It promises that after the end's commit no permit is given, and that
every permit that is out stands in the closure.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.scope import ScopeKind
from tests.worlds.authzen import AuthzenWorld, asking, authzen_world

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[AuthzenWorld]:
    """A gateway with AuthZEN's fixtures."""
    async with authzen_world(tmp_path) as made:
        yield made


async def given(world: AuthzenWorld, token: str, action: str) -> str:
    """Ask once; gives the permit's id, or nothing where it was refused."""
    told = await world.ask("POST", "/access/v1/evaluation", asking("alice", action), by=token)
    assert told.status == 200, told.content
    return str(told.json["context"]["evaluation_id"]) if told.json["decision"] else ""


@pytest.mark.parametrize("turns", [0, 1, 2, 4, 8, 16])
async def test_every_permit_that_is_out_stands_in_the_closure(world: AuthzenWorld, turns: int) -> None:
    """Whenever the end comes among forty questions, the permits given are those that its closure lists."""
    task = await world.begin("alice")
    token = await world.agent_token("records-api")

    async def end() -> Any:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await world.services.endings.revocations.end_task(task, reason="enough", by="root")

    asked = [given(world, token, "write" if number % 2 else "read") for number in range(40)]
    closure, *permits = await asyncio.gather(end(), *asked)
    out = {permit for permit in permits if permit}
    assert out <= {one.decision for one in closure.indeterminate}
    assert not await given(world, token, "read")


async def test_no_permit_is_given_once_the_end_has_returned(world: AuthzenWorld) -> None:
    """Ends of the agent, its owner and everything count as the task's own does."""
    token = await world.agent_token("records-api")
    for kind, name in (
        (ScopeKind.AGENT, "records-bot"),
        (ScopeKind.OWNER, "root"),
        (ScopeKind.EVERYTHING, ""),
    ):
        await world.begin("alice")
        permit = await given(world, token, "read")
        assert permit
        closure = await world.services.endings.revocations.end_scope(kind, name, reason="enough", by="root")
        assert permit in {one.decision for one in closure.indeterminate}
        assert not await given(world, token, "read")


async def test_a_permit_that_nobody_reports_is_found_after_a_restart(world: AuthzenWorld) -> None:
    """A permit that was out when remit stopped has an outcome afterwards: `unknown`."""
    await world.begin("alice")
    token = await world.agent_token("records-api")
    permit = await given(world, token, "write")
    assert [event.call for event in await world.services.store.unfinished(world.services.tenant)] == [permit]
    assert await world.services.endings.remains.recover() == 1
    assert await world.services.store.unfinished(world.services.tenant) == []


async def test_a_suspended_task_gets_no_permit_elsewhere(world: AuthzenWorld) -> None:
    """Neither an answer that counts, nor one that only says what would be."""
    await world.begin("alice")
    (task,) = [one for one in await world.services.tasks.tasks.newest() if one.on_behalf_of == "alice"]
    assert (await world.asks("evaluation", asking("alice", "read"))).json["decision"] is True
    root = await world.services.identity.directory.person("root")
    await world.services.endings.suspensions.suspend(task, root, operates=True, reason="look first")
    told = (await world.asks("evaluation", asking("alice", "read"))).json
    assert (told["decision"], told["context"]["reason"]) == (False, "task-suspended")
    await world.services.endings.suspensions.resume(task, root, operates=True, reason="")
    assert (await world.asks("evaluation", asking("alice", "read"))).json["decision"] is True
