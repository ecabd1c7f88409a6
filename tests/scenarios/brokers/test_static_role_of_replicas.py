# SPDX-License-Identifier: Apache-2.0
"""Threat: a password that tasks share is changed by one replica, and another goes on with the dead one."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest

from tests.conformance.bao_brokers import AtBaoStatic
from tests.gateways.passing_replicas import PassingWorld, passing_world
from tests.gateways.several_replicas import Replica, ended
from tests.servers.bao_server import BaoServer
from tests.servers.postgres_server import PostgresServer
from tests.worlds.mcp_endpoint import served

pytestmark = pytest.mark.long

Json = Any


class Shop:
    """An API that logs in at the database with what each call brings. An ASGI application."""

    def __init__(self) -> None:
        self.brought: list[str] = []

    async def __call__(self, scope: Json, receive: Json, send: Json) -> None:
        """Serve one request."""
        address = dict(scope["headers"])[b"x-database"].decode()
        self.brought.append(address)
        status = 200 if await opens(address) else 502
        said = json.dumps({"path": scope["path"]}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(said))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": said})


async def opens(address: str) -> bool:
    """Whether the database takes a login."""
    try:
        await (await psycopg.AsyncConnection.connect(address)).close()
    except psycopg.OperationalError:
        return False
    return True


async def thing(world: PassingWorld, one: Replica, token: str) -> int:
    """Ask for a thing of the shop."""
    shown = {"authorization": f"Bearer {token}"}
    return (await world.ask(one, "GET", "/http/shop/things/t-1", shown)).status


@asynccontextmanager
async def shops(
    folder: Path, url: str, database: PostgresServer, bao: BaoServer, place: AtBaoStatic
) -> AsyncIterator[tuple[PassingWorld, Shop]]:
    """Provide two replicas before the shop, whose password is that of one static role."""
    lease = {
        "openbao": {
            "address": bao.address,
            "token": "env:BAO_TOKEN",
            "static": {"role": place.role},
            "login": place.place,
        },
        "headers": place.HEADERS,
    }
    shop = Shop()
    with mock.patch.dict(os.environ, {"BAO_TOKEN": place.token}):
        async with (
            served(shop) as base,
            passing_world(folder, url, database, shop={"url": base, "lease": lease}) as world,
        ):
            yield world, shop


@pytest.mark.slow
async def test_no_replica_brings_a_password_that_another_has_had_changed(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer, bao: BaoServer
) -> None:
    """From when the end of a task has returned, every call brings the new one, wherever it is made."""
    place = AtBaoStatic(bao, postgres_server)
    async with shops(tmp_path, postgres, postgres_server, bao, place) as (world, shop):
        first, second = world.world.all
        lives, token = await first.open_task()
        assert await thing(world, second, token) == 200
        for _ in range(5):
            task, other = await first.open_task()
            assert await thing(world, first, other) == 200
            used = shop.brought[-1]
            closure = await ended(first, task)
            (closing,) = [one for one in closure["closings"] if one["lease"]]
            assert closing["refused_after_ms"] is not None
            assert not await opens(used)
            assert await thing(world, second, token) == 200
            assert shop.brought[-1] != used
        assert await second.counted("from others") == 0, "the task of the other replica is its own"
        # Of two that take the same one back, one changes it; what is given afterwards stands.
        assert (await ended(second, lives))["closed"]


@pytest.mark.slow
async def test_a_password_that_somebody_else_changes_is_heard_of_too(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer, bao: BaoServer
) -> None:
    """By hand at OpenBao, outside of remit. While OpenBao is silent, what it gave last goes on."""
    place = AtBaoStatic(bao, postgres_server)
    async with shops(tmp_path, postgres, postgres_server, bao, place) as (world, shop):
        first, second = world.world.all
        tokens = [(one, (await first.open_task())[1]) for one in (first, second)]
        for one, token in tokens:
            assert await thing(world, one, token) == 200
        bao.ask("POST", f"database/rotate-role/{place.role}")
        for one, token in tokens:
            assert await thing(world, one, token) == 200
            assert f":{place.password()}@" in shop.brought[-1]
        place.cut()
        try:
            for one, token in tokens:
                assert await thing(world, one, token) == 200
        finally:
            place.mend()
