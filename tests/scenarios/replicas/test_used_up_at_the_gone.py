# SPDX-License-Identifier: Apache-2.0
"""Threat: a task can do nothing more, but lives on with its credentials, because the replica that served it
is gone.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.gateways.passing_replicas import PassingWorld, prepare
from tests.gateways.several_replicas import Replica, replicas, sent, until
from tests.servers.postgres_server import PostgresServer
from tests.worlds.mcp_endpoint import served

pytestmark = pytest.mark.long

Json = Any


class Shop:
    """An API that answers when it is let go. An ASGI application."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, scope: Json, receive: Json, send: Json) -> None:
        """Serve one request."""
        self.asked.set()
        await self.let_go.wait()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})


@asynccontextmanager
async def two_calls(
    folder: Path, url: str, database: PostgresServer, refuse: bool = False
) -> AsyncIterator[tuple[PassingWorld, Shop]]:
    """Provide two replicas before the shop; each task may make two calls."""
    shop = Shop()
    async with served(shop) as base, aiohttp.ClientSession() as http:

        def prepared(one: Path) -> None:
            prepare(one, {"url": base}, {}, {})
            task = one / "tasks" / "send-mail.yaml"
            bound = "budgets: {calls: 2}\n" + ("when_spent: refuse\n" if refuse else "")
            task.write_text(task.read_text().replace("grants:\n", f"{bound}grants:\n", 1))

        async with replicas(folder, url, database.port, count=2, lease_ms=5000, prepare=prepared) as world:
            try:
                yield PassingWorld(world, base, http), shop
            finally:
                shop.let_go.set()


async def last_call(world: PassingWorld, shop: Shop, one: Replica, token: str) -> None:
    """Make the last call of a task at a replica, which dies of it."""
    shown = {"authorization": f"Bearer {token}"}
    call = asyncio.create_task(world.ask(one, "GET", "/http/shop/things/t-1", shown))
    await shop.asked.wait()
    await one.kill()
    with contextlib.suppress(aiohttp.ClientError):
        await call


@pytest.mark.slow
async def test_a_task_that_was_used_up_at_a_dead_replica_ends_at_once(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """The end needs no call. The task's last call, whose outcome is unknown, is on the list of its end; a
    task that has something left lives on.
    """
    async with two_calls(tmp_path, postgres, postgres_server) as (world, shop):
        first, second = world.world.all
        task, token = await first.open_task()
        other, going_on = await first.open_task()
        assert await sent(second, token, "one") == ""
        assert await sent(second, going_on, "other") == ""
        await last_call(world, shop, second, token)

        async def ended() -> bool:
            return bool((await first.ask("GET", f"/api/v1/tasks/{task}", by="root"))["state"] == "expired")

        async def closures() -> list[Json]:
            items = (await first.ask("GET", "/api/v1/closures", by="root"))["items"]
            return [one for one in items if one["scope"] == f"task:{task}"]

        async def closed() -> bool:
            return bool(await closures())

        await until(ended)
        told = await first.ask("GET", f"/api/v1/tasks/{task}", by="root")
        assert "used up" in told["end_reason"]
        # The fence stands first.
        await until(closed)
        (closure,) = await closures()
        assert closure["cause"] == "budget"
        assert [one["tool"] for one in closure["indeterminate"]] == ["shop/getThing"]
        assert (await first.ask("GET", f"/api/v1/tasks/{other}", by="root"))["state"] == "active"
        assert await sent(first, going_on, "the second of two") == ""


@pytest.mark.slow
async def test_a_type_that_refuses_when_it_is_used_up_ends_no_task(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """Where a type specifies that, its tasks go on to their deadline, whichever replica served them."""
    async with two_calls(tmp_path, postgres, postgres_server, refuse=True) as (world, shop):
        first, second = world.world.all
        task, token = await first.open_task()
        assert await sent(second, token, "one") == ""
        await last_call(world, shop, second, token)

        async def alone() -> bool:
            told = await first.told()
            return len(told["replicas"]) == 1 and not told["gone"]

        await until(alone)
        assert await sent(first, token, "three") == "budget-exhausted"
        assert (await first.ask("GET", f"/api/v1/tasks/{task}", by="root"))["state"] == "active"
