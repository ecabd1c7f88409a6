# SPDX-License-Identifier: Apache-2.0
"""The load of the race, the same for every gateway: MCP clients of the official SDK, in their own process.

`python -m bench.race.clients` reads `Orders` as a line of JSON. Sessions of one agent and of a bystander are
opened and call without pause; the line `ready` says that a call passed in each. At the line `ended`,
newcomers begin: each opens a new session for each call, with the access that was ended. At the line `stop`
it writes what became of every call, and ends. Times are nanoseconds of the machine's monotonic clock.
"""

import asyncio
import itertools
import logging
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import msgspec
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from bench.race.gateway import Access

PAUSE_S = 0.02
"""After a refusal, so that a gateway that refuses is not drowned."""
TEXT = "the quick brown fox"
BYSTANDER = 50_000_000
"""Numbers of the bystander's calls begin here."""
LIMIT_S = 10.0


class Orders(msgspec.Struct, frozen=True):
    """Whose access is going to end, whose is not, and how many sessions of each kind."""

    agent: Access
    bystander: Access
    sessions: int
    bystanders: int
    newcomers: int


class Call(msgspec.Struct, frozen=True, array_like=True):
    """One call: its number, its kind, when it was sent and answered, and why it failed (empty: it passed)."""

    number: int
    kind: str
    sent_ns: int
    answered_ns: int
    why: str


class Load:
    """All clients of one round."""

    def __init__(self, orders: Orders) -> None:
        """Take the orders."""
        self.orders = orders
        self.calls: list[Call] = []
        self.stopped = False
        self._numbers = itertools.count(1)
        self._aside = itertools.count(BYSTANDER)

    async def call(self, client: Client, access: Access, kind: str) -> bool:
        """Make one call and note what became of it."""
        number = next(self._aside if kind == "bystander" else self._numbers)
        sent, why = time.monotonic_ns(), ""
        try:
            result = await client.call_tool(access.tool, {"text": f"call {number:08d} {TEXT}"})
            if result.is_error:
                why = str(result.content)[:160]
        except Exception as e:  # noqa: BLE001 - whatever it is, the call did not pass
            why = f"{type(e).__name__}: {e}"[:160]
        self.calls.append(Call(number, kind, sent, time.monotonic_ns(), why))
        return not why

    async def session(self, access: Access, kind: str, passed: asyncio.Event) -> None:
        """Call in one session until stopped, whatever is answered."""
        async with connected(access) as client:
            while not self.stopped:
                if await self.call(client, access, kind):
                    passed.set()
                else:
                    await asyncio.sleep(PAUSE_S)

    async def newcomer(self, access: Access) -> None:
        """Open a session for each call, until stopped."""
        while not self.stopped:
            began = time.monotonic_ns()
            try:
                async with connected(access) as client:
                    fine = await self.call(client, access, "new")
            except Exception as e:  # noqa: BLE001 - a session that is refused is an attempt that failed
                why = f"no session, {type(e).__name__}"
                self.calls.append(Call(0, "new", began, time.monotonic_ns(), why))
                fine = False
            if not fine:
                await asyncio.sleep(PAUSE_S)


@asynccontextmanager
async def connected(access: Access) -> AsyncIterator[Client]:
    """A session that was initialized, as MCP clients since 2025 do it."""
    async with httpx2.AsyncClient(headers=access.headers, timeout=LIMIT_S) as http:
        transport = streamable_http_client(access.url, http_client=http, terminate_on_close=False)
        async with Client(transport, mode="legacy", read_timeout_seconds=LIMIT_S) as client:
            yield client


async def lines() -> AsyncIterator[str]:
    """What is written to standard input, line by line."""
    reader = asyncio.StreamReader(limit=1 << 20)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        yield line.decode().strip()


def say(line: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main() -> None:
    """Run one round's load."""
    told = lines()
    load = Load(msgspec.json.decode(await anext(told), type=Orders))
    orders = load.orders
    kinds = [(orders.agent, "open")] * orders.sessions + [(orders.bystander, "bystander")] * orders.bystanders
    passed = [asyncio.Event() for _ in kinds]
    tasks = [
        asyncio.create_task(load.session(*each, event)) for each, event in zip(kinds, passed, strict=True)
    ]
    everyone = asyncio.gather(*(event.wait() for event in passed))
    first: list[asyncio.Future[Any]] = [everyone, *tasks]
    done, _ = await asyncio.wait(first, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    if everyone not in done:
        broken = [repr(task.exception()) for task in tasks if task.done() and task.exception()]
        say(f"failed: {(broken or [call.why for call in load.calls if call.why] or ['no answer'])[0]}")
        return
    say("ready")
    async for line in told:
        if line == "ended":
            tasks += [asyncio.create_task(load.newcomer(orders.agent)) for _ in range(orders.newcomers)]
        elif line == "stop":
            break
    load.stopped = True
    await asyncio.wait(tasks, timeout=LIMIT_S)
    lost = [task for task in tasks if task.done() and not task.cancelled() and task.exception()]
    for task in lost:
        load.calls.append(Call(0, "lost", 0, 0, repr(task.exception())[:160]))
    say(msgspec.json.encode(load.calls).decode())


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(main())
