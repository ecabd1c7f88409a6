# SPDX-License-Identifier: Apache-2.0
"""What is committed late, refused, or interleaved with something else leaves nothing weaker behind."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.adapters.store.sqlite import SqliteStore
from remit.core.errors import Conflict, Fenced, StoreUnavailable
from remit.core.identity.principals import AgentState
from remit.core.label import Label
from remit.core.scope import ScopeKind
from remit.core.tasks.task import Budgets
from remit.ports.store.changes import PutAgent, TakeBudget
from remit.ports.store.units import Unit
from remit.services.assembly import upkeep as upkeep_module
from remit.services.assembly.upkeep import Upkeep
from remit.services.tasks.tasks import Opening
from tests.refusals import failure, own_failure
from tests.samples.tokens import task_token
from tests.worlds.mcp_endpoint import GatewayWorld, a_bundle, a_tool, gateway_world, messages
from tests.worlds.values import WorldClock, WorldEntropy, WorldSealingKeys

SECRET = Label(data_class="confidential")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GatewayWorld]:
    """The endpoint and its gateway, in which `files/echo` and `files/progress` carry confidential data."""
    async with gateway_world(tmp_path) as opened:
        bundle = a_bundle()
        tools = {**bundle.tools}
        for name in ("echo", "progress"):
            tools[f"files/{name}"] = a_tool("files", name, label=SECRET)
        await opened.services.policies.apply(msgspec.structs.replace(bundle, tools=tools), by="remit")
        await opened.services.tools.registry.described()
        yield opened


async def test_a_label_that_a_refused_call_raised_is_kept_with_the_next(world: GatewayWorld) -> None:
    """The commit that would have kept the label fails at a fence; the next call's keeps it all the same."""
    services = world.services
    live = await services.tasks.live.load(world.task)
    # Too late for the look at the fence in step 2: only the commit of step 5 meets it.
    await services.endings.revocations.end_scope(ScopeKind.TOOL, "files/echo", reason="", by="root")
    assert own_failure((await world.call("echo", {"text": "ok"})).json)
    assert not own_failure(messages(await world.call("progress"))[-1])
    assert live.label.data_class == "confidential"
    kept = await services.store.task(services.tenant, world.task)
    assert kept is not None
    assert kept.label.data_class == "confidential"


async def test_a_suspended_agent_calls_nothing_though_its_end_was_lost(world: GatewayWorld) -> None:
    """Where remit stopped between suspending an agent and ending its tasks, the tasks are dead at once."""
    services = world.services
    agent = await services.identity.directory.agent("bot")
    await services.store.commit(Unit((PutAgent(msgspec.structs.replace(agent, state=AgentState.SUSPENDED)),)))
    services.tasks.live.drop(world.task)
    told = await world.call("echo", {"text": "ok"})
    assert failure(told.json)["code"] == "agent-state"
    with pytest.raises(Fenced):
        await task_token(services, world.task)


async def test_refreshing_the_policies_does_not_undo_an_apply(world: GatewayWorld) -> None:
    """An upstream that announces changes all the time cannot bring the bundle before back into force."""
    policies = world.services.policies
    for number in range(5):
        stricter = msgspec.structs.replace(policies.applied.bundle, digest=f"sha256:{number}")
        applying = asyncio.create_task(policies.apply(stricter, by="root"))
        refreshing: list[asyncio.Task[None]] = []
        while not applying.done() and len(refreshing) < 20:
            refreshing.append(asyncio.create_task(policies.refresh()))
            await asyncio.sleep(0.001)
        await asyncio.gather(applying, *refreshing)
        assert policies.applied.digest == f"sha256:{number}"


async def test_a_task_does_not_carry_the_fences_of_others(world: GatewayWorld) -> None:
    """What a task remembers does not grow with the tasks that ended before it."""
    services = world.services
    person = await services.store.person(services.tenant, "lena")
    for _ in range(3):
        task, _token = await world.open("little")
        await services.endings.revocations.end_task(task, reason="", by="lena")
    await services.endings.revocations.end_scope(ScopeKind.TOOL, "files/echo", reason="", by="root")
    new = await services.tasks.tasks.open(Opening(agent="bot", task_type="little"), person=person)
    assert set(new.epochs) == {"tool:files/echo"}
    token = await task_token(services, new.id)
    assert not own_failure((await world.call("echo", {"text": "ok"}, token=token)).json)


async def test_no_chore_stops_for_good() -> None:
    """A chore that meets a defect is tried again at its next turn."""
    upkeep, tries = Upkeep(), asyncio.Semaphore(0)

    async def chore() -> None:
        tries.release()
        raise KeyError("a defect")

    upkeep.every("work", 0, chore)
    async with asyncio.timeout(60):
        for _ in range(3):
            await tries.acquire()
    assert "work" in upkeep.failing
    await upkeep.close()


async def test_asking_does_not_set_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upstream that announces changes without end has its list read once, and once more afterwards."""
    monkeypatch.setattr(upkeep_module, "PAUSE_S", 0)
    upkeep, runs, at_once, quiet = Upkeep(), 0, 0, asyncio.Event()

    async def chore() -> None:
        nonlocal runs, at_once
        at_once += 1
        assert at_once == 1
        await quiet.wait()
        runs, at_once = runs + 1, 0

    for _ in range(1000):
        upkeep.soon("learn", chore)
        await asyncio.sleep(0)
    quiet.set()
    async with asyncio.timeout(60):
        while runs < 2:  # noqa: ASYNC110 - a chore sets no event
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert runs == 2
    upkeep.soon("learn", chore)
    async with asyncio.timeout(60):
        while runs < 3:  # noqa: ASYNC110 - a chore sets no event
            await asyncio.sleep(0.01)
    await upkeep.close()
    assert runs == 3


def _store(folder: Path) -> SqliteStore:
    return SqliteStore.open(
        folder / "remit.db",
        durability="durable",
        clock=WorldClock(),
        entropy=WorldEntropy("review"),
        sealing=WorldSealingKeys(),
    )


async def test_a_value_that_no_table_holds_does_not_stop_the_store(tmp_path: Path) -> None:
    """A sum beyond 64 bits is refused to its caller; who comes after is served."""
    store = _store(tmp_path)
    unbounded: dict[str, Any] = {"tsk_one": Budgets()}
    async with asyncio.timeout(60):
        with pytest.raises((Conflict, StoreUnavailable)):
            await store.commit(Unit((TakeBudget(unbounded, calls=2**70),), tenant="default"))
        await store.commit(Unit((TakeBudget(unbounded, calls=1),), tenant="default"))
        assert (await store.usage("default", "tsk_one")).calls == 1
        await store.close()


async def test_the_store_is_its_owners_alone(tmp_path: Path) -> None:
    """In a folder that others may read, they read neither the file nor what is written beside it."""
    os.chmod(tmp_path, 0o755)
    store = _store(tmp_path)
    await store.commit(Unit((TakeBudget({"tsk_one": Budgets()}, calls=1),), tenant="default"))
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in os.scandir(tmp_path)}
    assert len(modes) == 4
    assert set(modes.values()) == {0o600}, modes
    await store.close()
    assert sqlite3.connect(tmp_path / "remit.db").execute("pragma integrity_check").fetchone() == ("ok",)
