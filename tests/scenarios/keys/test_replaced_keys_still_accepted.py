# SPDX-License-Identifier: Apache-2.0
"""Threat: a key that may be in other hands is replaced at one replica, and the others go on accepting it; or
a sealing key is destroyed under which another one still seals.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.gateways.several_replicas import keys_of, replicas, rotate, sent, until, until_sent
from tests.servers.postgres_server import PostgresServer

Json = Any


@pytest.mark.slow
async def test_a_token_of_a_replaced_key_is_refused_at_every_replica(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """Within moments, and what another replica signs from then on is good at all of them."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=2) as world:
        first, second = world.all
        _, token = await first.open_task()
        await until_sent(second, token, "before")
        new = await rotate(first, "token", at_once=True, reason="leaked")

        async def refused() -> bool:
            return await sent(second, token, "after") == "token-key"

        await until(refused)
        assert await sent(first, token, "after") == "token-key"
        assert await keys_of(first, "token") == await keys_of(second, "token")
        assert (new, "current") in await keys_of(second, "token")
        _, again = await second.open_task()
        await until_sent(first, again, "with the new one")
        # The other one goes on from what the first has made.
        newest = await rotate(second, "token", at_once=True)

        async def same() -> bool:
            return await keys_of(first, "token") == await keys_of(second, "token")

        await until(same)
        assert (newest, "current") in await keys_of(first, "token")
        assert new not in dict(await keys_of(first, "token"))


@pytest.mark.slow
async def test_replicas_seal_under_one_key(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """Requests are passed on after a rotation as before, and the key before it stays until all have sealed
    again.
    """
    async with replicas(tmp_path, postgres, postgres_server.port, count=2) as world:
        first, second = world.all
        _, token = await first.open_task()
        await until_sent(second, token, "before")
        before = dict(await keys_of(second, "sealing"))
        new = await rotate(first, "sealing")

        async def taken_over() -> bool:
            return (new, "current") in await keys_of(second, "sealing")

        await until(taken_over)
        assert dict(await keys_of(second, "sealing")).keys() == {new, *before}
        assert await sent(first, token, "passed on") == ""
        _, other = await second.open_task()
        await until_sent(second, other, "sealed")
        assert await sent(first, other, "passed on again") == ""
