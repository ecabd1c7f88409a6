# SPDX-License-Identifier: Apache-2.0
"""One task cannot take the gateway for itself, and a sensitive argument is not kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.tools.tool import Argument
from remit.services.decisions.call_events import unsensitive
from tests.refusals import failure, own_failure
from tests.worlds.mcp_endpoint import GatewayWorld, a_tool, gateway_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GatewayWorld]:
    """The endpoint and its gateway."""
    async with gateway_world(tmp_path) as world:
        yield world


async def test_a_task_with_too_many_calls_in_hand_waits_for_one_to_end(world: GatewayWorld) -> None:
    """The call that would be one too many is told that the task is busy; it is neither decided nor sent."""
    await world.call("echo", {"text": "ok"})
    live: Any = world.services.tasks.live.get(world.task)
    live.open_calls = 64
    told = json.loads((await world.call("echo", {"text": "ok"})).content)
    assert failure(told)["code"] == "busy"
    live.open_calls = 0
    assert not own_failure(json.loads((await world.call("echo", {"text": "ok"})).content))
    assert len(world.calls()) == 2


async def test_the_count_of_calls_in_hand_returns_to_nothing(world: GatewayWorld) -> None:
    """However calls end, permitted, refused or cut, none of them stays counted."""
    await asyncio.gather(
        *(world.call(name, {"text": text}) for name in ("echo", "nope") for text in ("ok", "no"))
    )
    live = world.services.tasks.live.get(world.task)
    assert live is not None
    assert live.open_calls == 0


def test_a_sensitive_argument_is_kept_as_its_digest_alone() -> None:
    """Neither evidence nor the question to an approver holds the value of a sensitive argument."""
    tool = msgspec.structs.replace(a_tool("shop", "pay"), arguments={"card": Argument(sensitive=True)})
    kept = unsensitive(tool, {"card": "4111", "amount": 7})
    assert kept["amount"] == 7
    assert set(kept["card"]) == {"sha256"}
    assert "4111" not in json.dumps(kept)
