# SPDX-License-Identifier: Apache-2.0
"""The two stages of a task's stop in the console: suspend it, then have it go on or end it."""

from pathlib import Path

from remit.core.decisions.decision import Outcome
from tests.worlds.console import act, console_world


async def test_a_task_is_suspended_resumed_and_ended_on_its_page(tmp_path: Path) -> None:
    """A viewer sees that it is suspended, and has no button."""
    async with console_world(tmp_path) as world:
        task, token = await world.open()
        here = f"/console/tasks/{task.id}"
        otto, vera = await world.browser("otto"), await world.browser("vera")
        done = await act(otto, here, f"{here}/suspend", reason="look at <b>this</b>")
        assert done.headers["location"] == f"{here}?done=task-suspended"
        page = await vera.get(here)
        assert "look at &lt;b&gt;this&lt;/b&gt;" in page.text
        assert "No call of it is permitted." in page.text
        assert "Resume it" not in page.text
        assert "suspended" in (await vera.get("/console")).text
        lena = await world.browser("lena")
        assert "Resume it" not in (await lena.get(here)).text
        refused = await act(lena, here, f"{here}/suspend", act="resume")
        assert "nother person suspended" in refused.text
        assert "Resume it" in (await otto.get(here)).text
        await act(otto, here, f"{here}/suspend", act="resume")
        assert "No call of it is permitted." not in (await vera.get(here)).text
        assert await world.outcome(token, "read", text="a") is Outcome.PERMIT
        await act(lena, here, f"{here}/suspend", reason="mine")
        assert "Resume it" in (await lena.get(here)).text
        await act(otto, here, f"{here}/suspend", reason="again")
        assert "Resume it" not in (await lena.get(here)).text
        ended = await act(otto, here, f"{here}/end", reason="enough")
        assert "/console/closures/" in ended.headers["location"]
        assert "No call of it is permitted." not in (await vera.get(here)).text
