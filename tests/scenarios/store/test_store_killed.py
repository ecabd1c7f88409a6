# SPDX-License-Identifier: Apache-2.0
"""`kill -9` at any moment: what was acknowledged is there, the log holds together, and it goes on."""

import asyncio
import json
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from remit.core.evidence.event import CallOutcome
from remit.core.evidence.merkle import Frontier, leaf_hash, new_tile_nodes
from remit.core.scope import EVERYTHING
from remit.core.tasks.task import Budgets
from remit.ports.store.changes import RaiseFence, TakeBudget
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from tests.conformance.stores import FILES, Open, in_postgres
from tests.worlds.values import TENANT, a_permit, an_outcome

CALLERS = 8


def opens(store: str) -> Open:
    """Return what opens a kind of file, or the database at an address."""
    return FILES[store] if store in FILES else in_postgres(lambda _: store)


@pytest.fixture(params=[*FILES, "postgres"])
def store(request: pytest.FixtureRequest) -> str:
    """A kind of file, or the address of a database."""
    kind = str(request.param)
    return kind if kind in FILES else str(request.getfixturevalue(kind))


async def keep_calling(folder: Path, open_store: Open, run: int) -> None:
    """Make calls as a gateway does, and say on standard output what was acknowledged, until killed."""
    store = open_store(folder, seed=str(run))
    count = 0

    async def caller(me: int) -> None:
        nonlocal count
        task = f"task_{me}"
        while True:
            count += 1
            call = f"call_{run}_{count}"
            change = TakeBudget({task: Budgets()}, calls=1)
            await store.commit(Unit(changes=(change,), events=(a_permit(call, task),)))
            os.write(1, f"permit {call} {task}\n".encode())
            pending = store.submit(Unit(events=(an_outcome(call, task),)))
            if count % 5 == 0:
                await pending
                os.write(1, f"outcome {call} {task}\n".encode())
            if count % 7 == 0:
                receipt = await store.commit(Unit(changes=(RaiseFence(TENANT, EVERYTHING),)))
                os.write(1, f"epoch {receipt.epochs[EVERYTHING]} -\n".encode())

    await asyncio.gather(*(caller(me) for me in range(CALLERS)))


async def kill_at_random(folder: Path, store: str, run: int, after_s: float) -> list[tuple[str, str, str]]:
    """Run a process that keeps calling, kill it, and give what it had acknowledged."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    child = await asyncio.create_subprocess_exec(
        sys.executable, __file__, str(folder), store, str(run), stdout=asyncio.subprocess.PIPE, env=env
    )
    assert child.stdout is not None
    await child.stdout.readline()  # it is at work
    await asyncio.sleep(after_s)
    child.send_signal(signal.SIGKILL)
    said = (await child.stdout.read()).decode()
    await child.wait()
    lines = said.splitlines(keepends=True)
    return [(a, b, c) for a, b, c in (line.split() for line in lines if line.endswith("\n"))]


async def check_whole(store: Store, acknowledged: list[tuple[str, str, str]]) -> None:
    """Every acknowledged fact is in the log, the log is one tree and its chains are unbroken."""
    entries = await store.entries(TENANT, limit=10**7, opened=True)
    assert [entry.index for entry in entries] == list(range(len(entries)))
    tree, _ = new_tile_nodes(Frontier(), [leaf_hash(entry.leaf) for entry in entries])
    assert await store.root(TENANT) == (tree.size, tree.root())
    before: dict[str, str] = {}
    permits: dict[str, str] = {}
    outcomes: set[str] = set()
    for entry in entries:
        record = json.loads(entry.leaf)
        assert record["prev"] == before.get(record["writer"], "")
        task = record.get("task", "")
        assert not task or record["task_prev"] == before.get(task, "")
        before[record["writer"]] = before[task] = entry.leaf_hash.hex()
        if entry.kind == "decision.made":
            assert entry.opened is not None
            permits[record["call"]] = record["task"]
        elif entry.kind != "state.recorded":
            assert record["call"] in permits
            outcomes.add(record["call"])
    assert {name for what, name, _ in acknowledged if what == "permit"} <= permits.keys()
    assert {name for what, name, _ in acknowledged if what == "outcome"} <= outcomes
    epochs = [int(name) for what, name, _ in acknowledged if what == "epoch"]
    assert store.epochs(TENANT).get(EVERYTHING, 0) >= max(epochs, default=0)
    unfinished = [event.call for event in await store.unfinished(TENANT)]
    assert unfinished == [call for call in permits if call not in outcomes]
    for task in {f"task_{me}" for me in range(CALLERS)}:
        assert (await store.usage(TENANT, task)).calls == list(permits.values()).count(task)


async def kill_again_and_again(folder: Path, store: str, kills: int) -> None:
    """Each run goes on with what the killed one before it left."""
    chance = random.Random(kills)
    acknowledged: list[tuple[str, str, str]] = []
    for run in range(kills):
        acknowledged += await kill_at_random(folder, store, run, chance.uniform(0.0, 0.25))
        opened = opens(store)(folder, seed=f"check {run}")
        await check_whole(opened, acknowledged)
        for event in await opened.unfinished(TENANT):  # what a restarted gateway does
            unknown = an_outcome(event.call, event.task, facts={"outcome": CallOutcome.UNKNOWN.value})
            await opened.commit(Unit(events=(unknown,)))
        assert await opened.unfinished(TENANT) == []
        await opened.close()


async def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path, store: str) -> None:
    """At random moments, over and over, in the same file or database."""
    await kill_again_and_again(tmp_path, store, 8 if store in FILES else 4)


@pytest.mark.slow
async def test_nothing_is_lost_over_a_hundred_kills(tmp_path: Path, store: str) -> None:
    """The same, for longer; on a server, whose part in it is its own to test, less often."""
    await kill_again_and_again(tmp_path, store, 100 if store in FILES else 30)


@pytest.mark.parametrize("open_store", FILES.values(), ids=FILES.keys())
async def test_a_killed_process_leaves_no_lock_behind(open_store: Open, tmp_path: Path) -> None:
    """The lock goes with the process that held it, whatever its file says."""
    (tmp_path / "remit.db.lock").write_text("1\n")
    await open_store(tmp_path).close()


if __name__ == "__main__":
    asyncio.run(keep_calling(Path(sys.argv[1]), opens(sys.argv[2]), int(sys.argv[3])))
