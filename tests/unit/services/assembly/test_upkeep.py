# SPDX-License-Identifier: Apache-2.0
"""Chores go on until they are stopped, whatever becomes of each turn."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from remit.core.errors import StoreUnavailable
from remit.services.assembly.upkeep import Upkeep


@pytest.fixture
async def upkeep() -> AsyncIterator[Upkeep]:
    """Chores that are stopped at the end."""
    made = Upkeep()
    yield made
    await made.close()


async def until(reached: Callable[[], bool]) -> None:
    """Let the chores run until they have come that far."""
    async with asyncio.timeout(60):
        while not reached():  # noqa: ASYNC110 - chores tell nobody
            await asyncio.sleep(0.001)


async def test_a_chore_that_fails_is_tried_again(upkeep: Upkeep) -> None:
    """It stands among the failing ones meanwhile, and not after it worked."""
    turns = 0

    async def chore() -> None:
        nonlocal turns
        turns += 1
        if turns < 3:
            raise StoreUnavailable("the disk is full")

    upkeep.every("sign", 0.001, chore)
    await until(lambda: "sign" in upkeep.failing)
    assert "the disk is full" in upkeep.failing["sign"]
    await until(lambda: turns > 3)
    assert upkeep.failing == {}


async def test_a_failing_chore_holds_up_no_other(upkeep: Upkeep) -> None:
    """Each has its own turns."""
    done: list[str] = []

    async def fails() -> None:
        raise StoreUnavailable("no")

    async def works() -> None:
        done.append("done")

    upkeep.every("fails", 0.001, fails)
    upkeep.every("works", 0.001, works)
    upkeep.soon("once", works)
    await until(lambda: len(done) > 3)
    assert upkeep.failing.keys() == {"fails"}


async def test_closing_stops_a_chore_in_the_middle() -> None:
    """Nothing runs on afterwards."""
    upkeep, begun, over = Upkeep(), asyncio.Event(), False

    async def chore() -> None:
        nonlocal over
        begun.set()
        await asyncio.sleep(60)
        over = True

    upkeep.soon("long", chore)
    await begun.wait()
    await upkeep.close()
    assert not over
