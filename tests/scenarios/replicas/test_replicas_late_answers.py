# SPDX-License-Identifier: Apache-2.0
"""Answers that lie at a replica which was stopped: what was ended meanwhile is not handed out later."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.gateways.passing_replicas import PassingWorld, passing_world
from tests.gateways.several_replicas import ended, until, until_sent
from tests.servers.postgres_server import PostgresServer
from tests.worlds.mcp_endpoint import served

pytestmark = [pytest.mark.slow, pytest.mark.long]

Json = Any

ANSWER = {"said": "what the upstream knows"}


class HeldApi:
    """An API that answers when the test lets it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.let = asyncio.Event()

    async def __call__(self, scope: Json, receive: Json, send: Json) -> None:
        """Answer one request."""
        self.asked.set()
        await self.let.wait()
        said = json.dumps(ANSWER).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(said))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": said})


@asynccontextmanager
async def held_world(
    folder: Path, url: str, server: PostgresServer
) -> AsyncIterator[tuple[PassingWorld, HeldApi]]:
    """Provide three replicas before such an API."""
    api = HeldApi()
    async with (
        served(api) as base,
        passing_world(folder, url, server, shop={"url": base}, count=3, lease_ms=4000) as world,
    ):
        yield world, api


async def asked(world: PassingWorld, token: str) -> str:
    """Ask the API through the first replica; gives all that came of the answer."""
    bearer = {"authorization": f"Bearer {token}"}
    with contextlib.suppress(aiohttp.ClientError):
        given = await world.ask(world.world.all[0], "GET", "/http/shop/things/t-1", bearer)
        return given.body.decode()
    return ""


def waits_from(port: int) -> bool:
    """Whether something that was sent from a port of this machine waits to be read."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(remote.endswith(f":{port:04X}") and not queues.endswith(":00000000")
               for _, _, remote, _, queues, *_ in lines)  # fmt: skip


@pytest.mark.parametrize("recorded", [False, True], ids=["indeterminate", "recorded"])
async def test_an_answer_that_was_passed_on_is_not_released_after_the_end(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer, recorded: bool
) -> None:
    """The owner has handed the answer to a replica that is stopped, and is gone. The task ends elsewhere.

    Whether or not the owner could record the outcome, the stopped replica has no lease when it goes on.
    """
    async with held_world(tmp_path, postgres, postgres_server) as (world, api):
        front, owner, ender = world.world.all
        task, token = await ender.open_task()
        await until_sent(owner, token, "owned")
        call = asyncio.create_task(asked(world, token))
        await api.asked.wait()
        front.pause()
        owner.proxy.slow_s = 0.0 if recorded else 0.4
        api.let.set()

        async def handed_on() -> bool:
            return waits_from(owner.port)

        async def closed() -> bool:
            told = await ender.events(kinds="tool.called", task=task)
            return "shop/getThing" in [one["facts"]["tool"] for one in told]

        await until(handed_on)
        if recorded:
            await until(closed)
        await owner.kill()
        closure = await ended(ender, task)
        listed = [one["tool"] for one in closure["indeterminate"]]
        assert listed == ([] if recorded else ["shop/getThing"])
        front.go_on()
        assert ANSWER["said"] not in await call
