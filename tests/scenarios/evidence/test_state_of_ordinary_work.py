# SPDX-License-Identifier: Apache-2.0
"""Threat: ordinary work looks like a change by others, so that people stop to believe what remit finds."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import pytest

from remit.core.errors import StoreUnavailable
from tests.faults.dicing_proxy import DicingProxy
from tests.servers.postgres_server import PostgresServer
from tests.worlds.mixed_work import MixedWork

#: Seeds of a long run, for each kind of store and of fault.
MANY = 12


async def through_all(work: MixedWork, rounds: int, steps: int) -> None:
    """Work, and then close the store, let it crash, back it up or restore a backup; again and again."""
    fates = ("close", "crash", "back up", "restore") if not work.database else ("close", "back up", "restore")
    for _ in range(rounds):
        fate = work.dice.choice(fates)
        async with work.opened() as services:
            await work.work(services, steps)
            await work.check(services)
            if fate == "crash":
                await work.work(services, 2)
                work.crash()
        if fate == "back up" or (fate == "restore" and not work.backups):
            await work.back_up()
        elif fate == "restore":
            async with work.opened() as services:
                await work.work(services, 2)
            await work.restore()
    async with work.opened() as services:
        await work.check(services)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    """Provide each kind of store: the address of a database, or none."""
    return str(request.getfixturevalue("postgres")) if request.param == "postgres" else ""


async def test_mixed_work_raises_no_alarm(tmp_path: Path, database: str) -> None:
    """Of tasks, approvals, people, agents, keys and prunes, with starts, backups and restores between."""
    await through_all(MixedWork(tmp_path, "few", database), rounds=3, steps=12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(MANY))
async def test_much_mixed_work_raises_no_alarm(tmp_path: Path, database: str, seed: int) -> None:
    """The same for longer."""
    await through_all(MixedWork(tmp_path, f"{seed}", database), rounds=8, steps=20)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(MANY))
async def test_two_replicas_that_work_raise_no_alarm(tmp_path: Path, postgres: str, seed: int) -> None:
    """On one database, each comparing the other's rows."""
    work = MixedWork(tmp_path, f"two {seed}", postgres)
    work.aging_days = 0
    for _ in range(4):
        async with work.opened() as one, work.opened() as two:
            for _ in range(6):
                await asyncio.gather(work.work(one, 3), work.work(two, 3))
            await work.check(one)
            await work.check(two)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(MANY))
async def test_lost_answers_raise_no_alarm(
    tmp_path: Path, postgres_server: PostgresServer, seed: int
) -> None:
    """Lines to the database break before, within and after messages, those of a commit among them."""
    url = postgres_server.fresh()
    proxy = DicingProxy(postgres_server.port, f"{seed}", longest_s=0.3)
    through = url.replace(f":{postgres_server.port}/", f":{proxy.port}/") + "?sslmode=disable"
    work = MixedWork(tmp_path, f"lost {seed}", through)
    async with work.opened() as services:
        for _ in range(20):
            proxy.odds = work.dice.choice((0, 30, 100))
            with contextlib.suppress(StoreUnavailable):
                await work.work(services, 3)
        proxy.odds = 0
        await work.check(services)
    async with work.opened() as services:
        await work.check(services)
    proxy.close()
    postgres_server.drop(url)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(MANY))
async def test_a_kill_at_any_moment_raises_no_alarm(tmp_path: Path, database: str, seed: int) -> None:
    """Of a process that works, in the midst of a commit, too."""
    work = MixedWork(tmp_path, f"killed {seed}", database)
    for number in range(4):
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.worlds.mixed_work"),
            *(str(tmp_path), f"{seed} {number}", database),
            stdout=asyncio.subprocess.PIPE,
        )
        assert program.stdout is not None
        assert await program.stdout.readline() == b"ready\n"
        await asyncio.sleep(work.dice.random() * 1.5)
        program.send_signal(signal.SIGKILL)
        assert await program.wait() == -signal.SIGKILL
        async with work.opened() as services:
            await work.check(services)
