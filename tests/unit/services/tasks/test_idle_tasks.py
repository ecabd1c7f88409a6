# SPDX-License-Identifier: Apache-2.0
"""Tasks that end when they are unused."""

from pathlib import Path

import pytest

from remit.core.errors import Fenced
from remit.services.tasks.tasks import Opening
from tests.worlds.services import service_world


async def test_a_task_that_nobody_uses_ends(tmp_path: Path) -> None:
    """With an idle time, each use starts it again; when it has passed, the next use is refused."""
    async with service_world(tmp_path) as world:
        lena = await world.services.store.person(world.services.tenant, "lena")
        assert lena is not None
        opening = Opening(
            agent="contract-bot", task_type="summarise-contract", params={"id": "C-42"}, idle_s=600
        )
        task = await world.services.tasks.tasks.open(opening, person=lena)
        live = await world.services.tasks.live.load(task.id)
        for _ in range(2):
            world.clock.advance(500)
            world.services.tasks.live.check(live, world.clock.now())
            live.touch(world.clock.boot_s())
        world.clock.advance(600)
        with pytest.raises(Fenced):
            world.services.tasks.live.check(live, world.clock.now())
        assert [one.scope for one in await world.services.endings.revocations.expire()] == [f"task:{task.id}"]
