# SPDX-License-Identifier: Apache-2.0
"""Change freezes over REST: who may declare and lift one, and what is refused."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.worlds.services import ServiceWorld, service_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway behind its management endpoints."""
    async with service_world(tmp_path) as made:
        yield made


async def told(
    world: ServiceWorld, method: str, path: str, body: Any = None, *, by: str, status: int = 200
) -> Any:
    """Ask as a person, and give the answer's JSON."""
    found = await world.ask(method, f"/api/v1/{path}", body, by=await world.session(by))
    assert found.status == status, found.content
    return found.json


def freeze(world: ServiceWorld, **changes: Any) -> dict[str, Any]:
    """What declares a freeze for an hour."""
    until = (world.clock.now() + timedelta(hours=1)).isoformat()
    return {"until": until, "reason": "quarter end", **changes}


async def test_operators_declare_and_administrators_lift(world: ServiceWorld) -> None:
    """What takes less authority away needs more of it to undo."""
    await told(world, "POST", "freezes", freeze(world), by="lena", status=403)
    made = await told(world, "POST", "freezes", freeze(world), by="otto")
    assert (made["reason"], made["by"]) == ("quarter end", "otto")
    assert (await told(world, "GET", "freezes", by="audra"))["items"] == [made]
    await told(world, "GET", "freezes", by="lena", status=403)
    lift = f"freezes/{made['id']}/lift"
    await told(world, "POST", lift, {"reason": "released"}, by="otto", status=403)
    assert await told(world, "POST", lift, {"reason": "released"}, by="root") == made
    await told(world, "POST", lift, {"reason": "released"}, by="root", status=404)
    assert (await told(world, "GET", "freezes", by="audra"))["items"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": ""},
        {"reason": " "},
        {"until": "2026-03-02T08:59:00+00:00"},
        {"until": "2027-03-02T09:00:00+00:00"},
        {"until": "2026-03-02T10:00:00"},
        {"until": "tomorrow"},
    ],
)
async def test_a_freeze_needs_a_reason_and_an_end(world: ServiceWorld, changes: dict[str, Any]) -> None:
    """With its zone, in the future, within three months."""
    await told(world, "POST", "freezes", freeze(world, **changes), by="root", status=400)
