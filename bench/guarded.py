# SPDX-License-Identifier: Apache-2.0
"""What the SDK costs an agent's program for each call of a guarded function."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import remit_sdk as remit
from bench.figure import Figure
from remit_sdk.live_task import GuardedTask
from tests.gateways.billing_house import furnished_for_billing

ADDED: Final = "sdk: CPU of the agent's process for a guarded call"
_REQUESTS: Final = "sdk: CPU of the agent's process for the two requests alone"
_P50, _P99 = "sdk: p50 of a guarded call", "sdk: p99 of a guarded call"
_TASKS: Final = "settle-complaint"
#: Calls of one task: its type permits a hundred.
_CALLS: Final = 50


def guarded_calls(quick: bool) -> list[Figure]:
    """Call a guarded function that does nothing, and send the same requests without the guard."""
    rounds = 2 if quick else 20
    with tempfile.TemporaryDirectory() as folder, furnished_for_billing(Path(folder) / "house") as house:
        key = house.folder / ".remit" / "agents" / "note-bot.key.json"
        who = {"url": house.url, "agent": "note-bot", "key_file": key}
        seconds: dict[str, list[float]] = {"guarded": [], "bare": []}
        waits: list[float] = []
        for _ in range(rounds):
            for name, work in (("guarded", _guarded), ("bare", _bare)):
                spent, took = asyncio.run(_in_task(who, work))
                seconds[name].append(spent / _CALLS)
                waits += took if name == "guarded" else []
    waits.sort()
    how = (
        f"{rounds} tasks of {_CALLS} calls each, one after another; a real `remit up` (SQLite); a call is "
        "two requests with a proof each (DPoP): the decision, and the result"
    )
    guarded, bare = (statistics.median(seconds[name]) * 1e6 for name in ("guarded", "bare"))
    return [
        Figure(name=ADDED, value=guarded, unit="us", yardstick=_REQUESTS, ratio=guarded / bare, how=how),
        Figure(name=_REQUESTS, value=bare, unit="us", how=how),
        Figure(name=_P50, value=waits[len(waits) // 2] * 1e3, unit="ms", how=how),
        Figure(name=_P99, value=waits[len(waits) * 99 // 100] * 1e3, unit="ms", how=how),
    ]


Work = Callable[[GuardedTask], Callable[[], Awaitable[Any]]]


def _guarded(task: GuardedTask) -> Callable[[], Awaitable[Any]]:
    @task.guard(tool="billing/customer")
    async def customer(customer: str) -> dict[str, str]:
        return {"name": "Ada"}

    return lambda: customer("C-1")


def _bare(task: GuardedTask) -> Callable[[], Awaitable[Any]]:
    path = f"/api/v1/tasks/{task.id}/calls"

    async def once() -> None:
        asked = {"tool": "billing/customer", "arguments": {"customer": "C-1"}, "reason": ""}
        permit = await task.session.ask("POST", path, body=asked)
        told = {"outcome": "ok", "content": {"name": "Ada"}}
        await task.session.ask("POST", f"{path}/{permit['call']}/result", body=told)

    return once


async def _in_task(who: dict[str, Any], work: Work) -> tuple[float, list[float]]:
    """Return the CPU seconds of this process for all calls, and the seconds of each."""
    async with remit.task(_TASKS, customer="C-1", **who) as task:
        call = work(task)
        await call()
        took, began = [], time.process_time()
        for _ in range(_CALLS):
            at = time.perf_counter()
            await call()
            took.append(time.perf_counter() - at)
        return time.process_time() - began, took
