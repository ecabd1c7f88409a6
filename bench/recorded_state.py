# SPDX-License-Identifier: Apache-2.0
"""What the record of the rows of state costs: two gateways on SQLite side by side, one of which keeps none.

Both live in one process and take turns, so that whatever else the machine does meets both alike. A figure is
processor time, without the disk, whose wait would hide the difference. A call changes no covered row
unless it raises its task's label or uses an approval, and runs none of this.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from bench.figure import Figure
from bench.measure import layout
from bench.target import confined
from remit.adapters.store.relational.state.record import NO_ROWS
from tests.worlds.calls import CallWorld, call_world

TASK: Final = "recorded state: a task, from opening to end"

Work = Callable[[CallWorld], Awaitable[None]]


async def a_task(world: CallWorld) -> None:
    """Open a task, with its token, and end it."""
    task, _ = await world.open()
    await world.services.endings.revocations.end_task(task.id, reason="done", by="lena")


async def _paired(
    both: tuple[CallWorld, CallWorld], work: Work, rounds: int, each: int
) -> tuple[float, float]:
    """Return the median microseconds with a record, and the median of how much more that is."""
    took, more = list[float](), list[float]()
    for number in range(rounds + 1):
        cost = {}
        for world in both if number % 2 else both[::-1]:
            began = time.process_time()
            for _ in range(each):
                await work(world)
            cost[id(world)] = (time.process_time() - began) / each * 1e6
        if number:
            took.append(cost[id(both[0])])
            more.append(cost[id(both[0])] / cost[id(both[1])] - 1)
    return statistics.median(took), statistics.median(more)


async def _measured(rounds: int, each: int) -> list[Figure]:
    async with AsyncExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        plain = await stack.enter_async_context(call_world(folders[1], settle=False))
        # The one seam at which the writer asks what it must record.
        plain.services.store._ledger.record.before = lambda *_: NO_ROWS  # type: ignore[attr-defined]  # noqa: SLF001
        await plain.settle_in()
        both = (await stack.enter_async_context(call_world(folders[0])), plain)
        took, more = await _paired(both, a_task, rounds, each)
        how = f"median of {rounds} rounds of {each}, in turns with a gateway that records no rows"
        return [
            Figure(name=TASK, value=took, unit="µs", how=how),
            Figure(name=f"{TASK}, more than without", value=more * 100, unit="%", how=how),
        ]


def recorded_state(quick: bool) -> list[Figure]:
    """Measure tasks with the record of rows and without."""
    with confined(layout().target):
        return asyncio.run(_measured(*((20, 5) if quick else (120, 5))))
