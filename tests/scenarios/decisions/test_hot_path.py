# SPDX-License-Identifier: Apache-2.0
"""What a call may cost: no read of the database once its task is bound, and no second copy of a large
result.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.refusals import own_failure
from tests.worlds.mcp_endpoint import GatewayWorld, gateway_world

MIB = 1024 * 1024


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GatewayWorld]:
    """The endpoint and its gateway."""
    async with gateway_world(tmp_path) as world:
        yield world


async def test_a_call_of_a_bound_task_reads_nothing_from_the_database(
    world: GatewayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first call binds the task; the calls after it, permitted or refused, read nothing."""
    assert (await world.call("echo", {"text": "ok 1"})).status == 200
    reads: list[str] = []
    pool: Any = world.services.store._pool  # type: ignore[attr-defined]
    run = pool.run

    async def counted(read: Any, *args: Any) -> Any:
        reads.append(getattr(read, "__name__", str(read)))
        return await run(read, *args)

    monkeypatch.setattr(pool, "run", counted)
    assert not own_failure(json.loads((await world.call("echo", {"text": "ok 2"})).content))
    assert own_failure(json.loads((await world.call("no_such_tool")).content))
    assert reads == []


async def test_a_result_of_many_megabytes_passes_in_memory_bounded_by_its_size(world: GatewayWorld) -> None:
    """Sixteen megabytes reach the agent whole; at no time are there more than a handful of copies of them."""
    await world.call("echo", {"text": "ok 1"})
    tracemalloc.start()
    try:
        told = await world.call("big", {"n": 16 * MIB})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(told.content) > 16 * MIB
    # The scripted server and the test's own client run in this process too, and each holds its own copies.
    assert peak < 12 * 16 * MIB
    outcomes = world.services.mediation.mediator.figures.outcomes
    assert sum(count for (_, _, outcome), count in outcomes.items() if outcome == "ok") == 2
