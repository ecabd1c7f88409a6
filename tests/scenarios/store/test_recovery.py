# SPDX-License-Identifier: Apache-2.0
"""A start on what a crash left: loose ends are closed, nothing that was ended or used up comes back, and a
log that is behind what was signed is not taken.
"""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.errors import Fenced, RemitError, VerificationFailed
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import AgentState
from remit.core.scope import ScopeKind
from remit.services.tasks.tasks import Opening
from tests.faults.crashed_folder import crashed
from tests.worlds.calls import CallWorld, call_world


async def closings(world: CallWorld) -> dict[str, list[str]]:
    """Return the outcomes of each call in the evidence."""
    entries = await world.services.evidence.log.pages(limit=1000, kinds=(EventKind.TOOL_CALLED.value,))
    out: dict[str, list[str]] = {}
    for leaf in (json.loads(entry.leaf) for entry in entries):
        out.setdefault(leaf["call"], []).append(leaf["facts"]["outcome"])
    return out


async def test_unfinished_calls_are_closed_as_unknown_once(tmp_path: Path) -> None:
    """Those and only those: not the finished ones, not the refused ones, and not again at the next start."""
    before = tmp_path / "before"
    before.mkdir()
    async with call_world(before) as world:
        _, token = await world.open()
        done = [(await world.call(token, "write", text=str(n))).decision.id for n in range(3)]
        await world.asked(token)
        await world.call((await world.open("hello"))[1], "write", text="not hello")
        world.desk.open.clear()
        hanging = [asyncio.create_task(world.call(token, "write", text=f"hangs {n}")) for n in range(4)]
        await world.until(lambda: len(world.desk.arrived) == 7)
        await world.facts(EventKind.TOOL_CALLED)
        image = crashed(before, tmp_path / "after")
        world.desk.open.set()
        await asyncio.gather(*hanging)
    async with call_world(image, seed="again", settle=False) as world:
        assert await world.services.endings.remains.recover() == 4
        found = await closings(world)
        assert {call: found[call] for call in done} == {call: ["ok"] for call in done}
        assert [found[call] for call in found if call not in done] == [["unknown"]] * 4
        assert await world.services.store.unfinished(world.services.tenant) == []
        assert await world.services.endings.remains.recover() == 0
    async with call_world(image, seed="once more", settle=False) as world:
        assert await world.services.endings.remains.recover() == 0


async def test_a_task_goes_on_with_its_token_and_its_label(tmp_path: Path) -> None:
    """What a task has read is remembered: a restart washes nothing."""
    async with call_world(tmp_path) as world:
        task, token = await world.open()
        await world.call(token, "read")
        label = (await world.services.tasks.tasks.get(task.id)).label
        assert label.data_class == "internal"
    async with call_world(tmp_path, seed="again", settle=False) as world:
        await world.reopen()
        assert (await world.services.tasks.tasks.get(task.id)).label == label
        assert await world.outcome(token, "read") is Outcome.PERMIT


async def test_what_was_ended_stays_ended(tmp_path: Path) -> None:
    """Fences, locks and suspensions outlive the process."""
    async with call_world(tmp_path) as world:
        ended, first = await world.open()
        _, second = await world.open(agent="other")
        _, third = await world.open()
        await world.services.endings.revocations.end_task(ended.id, reason="enough", by="root")
        await world.services.identity.directory.move("other", AgentState.SUSPENDED, by="root", reason="odd")
        await world.services.endings.revocations.end_scope(
            ScopeKind.UPSTREAM, "desk", reason="odd", by="root", lock=True
        )
    async with call_world(tmp_path, seed="again", settle=False) as world:
        await world.reopen()
        for token in (first, second, third):
            with pytest.raises(Fenced):
                await world.call(token, "read")
        with pytest.raises(RemitError):
            await world.open()
        with pytest.raises(RemitError):
            await world.open(agent="other")
        assert world.desk.arrived == []
        await world.services.endings.revocations.unlock(ScopeKind.UPSTREAM, "desk", by="root")
        _, fresh = await world.open()
        assert await world.outcome(fresh, "read") is Outcome.PERMIT
        with pytest.raises(Fenced):
            await world.call(third, "read")


async def test_an_approval_is_used_once_across_a_restart(tmp_path: Path) -> None:
    """Given before the restart it can be used after; used before the restart it is used."""
    async with call_world(tmp_path) as world:
        _, token = await world.open()
        for amount in (1, 2):
            await world.approve(await world.asked(token, amount=amount))
        assert await world.outcome(token, "pay", amount=1) is Outcome.PERMIT
    async with call_world(tmp_path, seed="again", settle=False) as world:
        await world.reopen()
        assert await world.outcome(token, "pay", amount=1) is Outcome.DEFER
        assert await world.outcome(token, "pay", amount=2) is Outcome.PERMIT
        assert await world.outcome(token, "pay", amount=2) is Outcome.DEFER
        assert world.desk.arrived == [{"name": "pay", "arguments": {"amount": 2}}]


async def test_sessions_and_codes_outlive_a_restart_and_used_ones_do_not_return(tmp_path: Path) -> None:
    """A session goes on; a code that was used stays used."""
    async with call_world(tmp_path) as world:
        code = await world.services.identity.authenticator.make_code("lena", by="root")
        session, _, _ = await world.services.identity.authenticator.sign_in(code)
        unused = await world.services.identity.authenticator.make_code("omar", by="root")
    async with call_world(tmp_path, seed="again", settle=False) as world:
        authenticator = world.services.identity.authenticator
        assert (await authenticator.person(session)).name == "lena"
        with pytest.raises(RemitError):
            await authenticator.sign_in(code)
        assert (await authenticator.sign_in(unused))[1].name == "omar"


async def test_a_store_that_was_set_back_is_not_opened(tmp_path: Path) -> None:
    """An older copy of the database, beside the head that was signed since: the start is refused."""
    folder = tmp_path / "house"
    folder.mkdir()
    async with call_world(folder) as world:
        await world.open()
    older = crashed(folder, tmp_path / "older")
    async with call_world(folder, seed="again", settle=False) as world:
        await world.reopen()
        await world.open()
        await world.services.evidence.log.checkpoint()
    for file in folder.glob("remit.db*"):
        file.unlink()
    for file in older.glob("remit.db*"):
        shutil.copy(file, folder)
    with pytest.raises(VerificationFailed):
        async with call_world(folder, seed="set back", settle=False):
            pass


async def test_two_processes_do_not_share_a_store(tmp_path: Path) -> None:
    """With SQLite one process writes: the second is told so, and the first goes on."""
    async with call_world(tmp_path) as world:
        with pytest.raises(RemitError) as refused:
            CallWorld(tmp_path, seed="second")
        assert refused.value.remediation
        await world.services.tasks.tasks.open(
            Opening(agent="clerk", task_type="work"), person=await world.person("lena")
        )


async def test_a_clock_that_went_back_over_a_restart_revives_nothing(tmp_path: Path) -> None:
    """A task that ran out is recorded as expired, whatever the time of day says later."""
    async with call_world(tmp_path) as world:
        _, token = await world.open()
        world.clock.advance(3600)
        await world.services.endings.revocations.expire()
    async with call_world(tmp_path, seed="again", settle=False) as world:
        await world.reopen()  # the world's clock begins again, an hour earlier
        with pytest.raises(Fenced) as refused:
            await world.call(token, "read")
        assert refused.value.code == "task-ended"
        assert await world.services.endings.revocations.expire() == []
