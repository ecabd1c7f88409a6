# SPDX-License-Identifier: Apache-2.0
"""An emergency stop meets tasks that end by themselves at the same moment."""

import asyncio
from pathlib import Path

from tests.worlds.services import service_world


async def test_an_end_holds_although_tasks_complete_meanwhile(tmp_path: Path) -> None:
    """Ending an agent while its tasks are being completed raises the fence, and no answer is a conflict."""
    async with service_world(tmp_path) as world:
        lena, otto = await world.session("lena"), await world.session("otto")
        for _ in range(5):
            tasks = [await world.open(lena) for _ in range(8)]
            before = world.services.store.epochs(world.services.tenant).get("agent:contract-bot", 0)
            answers = await asyncio.gather(
                *(world.ask("POST", f"/api/v1/tasks/{task}/complete", {}, by=lena) for task in tasks[:4]),
                world.ask("POST", "/api/v1/end", {"name": "contract-bot"}, by=otto),
                *(world.ask("POST", f"/api/v1/tasks/{task}/complete", {}, by=lena) for task in tasks[4:]),
            )
            assert [answer.status for answer in answers] == [200] * 9
            assert world.services.store.epochs(world.services.tenant)["agent:contract-bot"] == before + 1
            for task in tasks:
                shown = await world.ask("GET", f"/api/v1/tasks/{task}", by=lena)
                assert shown.json["state"] in ("completed", "revoked")
