# SPDX-License-Identifier: Apache-2.0
"""`remit demo`: plays the story from beginning to end; exits 0 only if every step ended as expected."""

from __future__ import annotations

import asyncio
import tempfile
import time
from functools import partial
from pathlib import Path

from remit.cli.demo.end_under_load import step_6
from remit.cli.demo.evidence_story import step_7
from remit.cli.demo.narrator import Narrator, stage_console
from remit.cli.demo.own_agents import step_8
from remit.cli.demo.stage import Stage, stage
from remit.cli.demo.task_story import step_1, step_2, step_3, step_4, step_5
from remit.cli.demo.working_day import show_console
from remit.cli.parser import verb

app = verb("demo")


@app.default
def demo(*, keep: Path | None = None, console: bool = False) -> int:
    """Play the whole story on real MCP servers; exits 0 only if every step ended as expected.

    For example, see how remit stops an injected instruction and ends a task under load, before you connect
    agents and tools that matter to you.

    Parameters
    ----------
    keep
        Play in this folder and keep everything there for inspection (default: a folder that is deleted).
    console
        Instead of the story, let several agents work until Ctrl-C, so that you can look at them in the
        console.
    """
    tell = Narrator(stage_console())
    play = partial(show_console, console=stage_console()) if console else partial(_tell, tell=tell)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        return asyncio.run(play(keep.resolve()))
    with tempfile.TemporaryDirectory(prefix="remit-demo-", ignore_cleanup_errors=True) as folder:
        return asyncio.run(play(Path(folder).resolve()))


async def _tell(folder: Path, tell: Narrator) -> int:
    started = time.monotonic()
    tell.title(
        "remit: the story of contract-bot",
        "It works for the legal team. It may summarise a contract but not export it, and draft a change "
        "but not deploy it. It uses six MCP servers; one was written by others, and one serves a "
        "database. The client is the official one.",
    )
    async with stage(folder) as made:
        await cast_of(made)
        await the_story(made, tell)
    return tell.end(time.monotonic() - started)


async def cast_of(made: Stage) -> None:
    """Add the people and register the agents."""
    await made.add_person("lena", [])
    await made.add_person("omar", ["approver"])
    await made.enrol("contract-bot", "Summarise contracts and draft changes for the legal team")
    await made.enrol("ticket-bot", "Look through tickets for the legal team")


async def the_story(made: Stage, tell: Narrator) -> None:
    """Play the eight steps in order."""
    await step_1(made, tell)
    task, token = await step_2(made, tell)
    await step_3(made, tell, task, token)
    await step_4(made, tell, token)
    change, token = await step_5(made, tell)
    await step_6(made, tell, change, token)
    await step_7(made, tell, task)
    await step_8(made, tell)
