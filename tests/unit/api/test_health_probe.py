# SPDX-License-Identifier: Apache-2.0
"""Whether the store takes commits, as `/health/ready` says it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from remit.api.health import PROBE_S, Health
from remit.api.rooms import health_rooms
from remit.ports.store.units import Receipt, Unit
from tests.worlds.services import ServiceWorld, service_world

Json = Any


async def asked(health: Health) -> tuple[int, str]:
    """Return status, and what is said of the store."""
    answer = await health.ready()
    return answer.status_code, json.loads(bytes(answer.body))["store"]


async def test_a_store_that_answers_no_commit_for_a_lease_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not refuse either: no probe waits longer, and the service is ready again once the store
    answers.
    """
    async with service_world(tmp_path) as world:
        health, answers = Health(health_rooms(world.services)), asyncio.Event()
        world.services.replicas.membership.lease.lease_s = 0.01
        assert await asked(health) == (200, "writable")
        hang(world, monkeypatch, answers)
        for _ in range(3):
            world.clock.advance(PROBE_S)
            async with asyncio.timeout(60):
                assert await asked(health) == (503, "store-silent")
        answers.set()
        await asyncio.sleep(0)
        world.services.replicas.membership.lease.lease_s = 60.0
        world.clock.advance(PROBE_S)
        assert await asked(health) == (200, "writable")


def hang(world: ServiceWorld, monkeypatch: pytest.MonkeyPatch, answers: asyncio.Event) -> None:
    """Have no commit answered before it is let."""
    commit: Callable[..., Awaitable[Receipt]] = world.services.store.commit

    async def waits(unit: Unit, **more: Json) -> Receipt:
        await answers.wait()
        return await commit(unit, **more)

    monkeypatch.setattr(world.services.store, "commit", waits)
