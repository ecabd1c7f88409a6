# SPDX-License-Identifier: Apache-2.0
"""Step 6 of the story: a task ends under load, and a stolen database password dies with it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final

import httpx2

from remit.cli.demo.commands import show
from remit.cli.demo.narrator import Narrator
from remit.cli.demo.stage import Stage
from remit.cli.demo.thief import INSIDE, PATIENCE_S, SHUT_OUT, StolenCredentials, Thief
from remit_sdk.gateway_client import REFUSED

LOOPS: Final = 32


class CallLoop:
    """Thirty-two loops that call two tools as fast as they can, and record when each call was sent.

    Not when its answer arrived: on a busy machine, an answer from before the end is read after it.
    """

    def __init__(self, stage: Stage, token: str) -> None:
        """Speak the newest protocol version by hand: one request, one answer, nothing hidden."""
        self._stage = stage
        self._token = token
        self._stop = False
        self.permitted_at: list[float] = []
        self.refused_at: list[float] = []
        self.codes: set[str] = set()

    async def loop(self, number: int) -> None:
        """Call until stopped: every second loop calls the third-party server, the others the register."""
        call = {"name": "git__git_status", "arguments": {"repo_path": str(self._stage.folder / "repo")}}
        if number % 2:
            call = {"name": "register__look_up", "arguments": {"change_id": "CH-7"}}
        while not self._stop:
            sent = time.monotonic()
            try:
                answer = await self._stage.raw("tools/call", call, self._token)
            except httpx2.HTTPError:
                continue
            code = answer.headers.get(REFUSED, "")
            if answer.status_code == 200 and not code:
                self.permitted_at.append(sent)
            else:
                self.refused_at.append(sent)
                self.codes.add(code or str(answer.status_code))

    async def until(self, answered: list[float]) -> None:
        """Wait until a call was permitted, or refused; at most half a minute."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not answered:  # noqa: ASYNC110 - the loops set no event
                    await asyncio.sleep(0.05)

    def stop(self) -> None:
        """Stop; each loop finishes its pending call."""
        self._stop = True


async def step_6(stage: Stage, tell: Narrator, task: str, token: str) -> None:
    """End the task while thirty-two loops load the gateway and a thief attacks the database."""
    tell.chapter(6, f"The task ends while {LOOPS} loops hammer the gateway with its token")
    tell.say("The register's server is careless: it writes the task's database password to its log.")
    thief, hammer = await Thief.send(stage.register.stolen), CallLoop(stage, token)
    loops = [asyncio.create_task(hammer.loop(number)) for number in range(LOOPS)]
    await thief.says(INSIDE)
    await hammer.until(hammer.permitted_at)
    await asyncio.sleep(1.0)
    before, started = len(hammer.permitted_at), time.monotonic()
    scope = {"kind": "task", "name": task, "reason": "the change is out"}
    closure = await stage.ask("POST", "/api/v1/end", scope, by="lena")
    returned = time.monotonic()
    await thief.says(SHUT_OUT)
    await hammer.until(hammer.refused_at)
    await asyncio.sleep(0.5)
    hammer.stop()
    loot = await thief.caught()
    await asyncio.gather(*loops)
    tell.claim(before > 0, f"before the end {before} calls were permitted")
    tell.claim(
        not [at for at in hammer.permitted_at if at > returned],
        "after the end returned, no call passed",
        f"{len(hammer.refused_at)} were refused: {', '.join(sorted(hammer.codes))}",
    )
    tell.claim(
        bool(hammer.refused_at),
        f"the end took {(returned - started) * 1000:.1f} ms as the caller measured it",
    )
    answer = await stage.raw("tools/list", {}, token)
    tell.claim(answer.status_code in (401, 403), "the token is dead at every endpoint: it cannot even list")
    _robbed(tell, loot, started, returned)
    tell.say("Ending the task again changes nothing and returns the same closure, proven to be in the log:")
    await show(stage, tell, "end", task, "--receipt", "receipt.jsonl", by="lena")
    tell.claim(closure["closed"], f"closure {closure['id']} has nothing left open")


def _robbed(tell: Narrator, loot: StolenCredentials, started: float, returned: float) -> None:
    """Show what the stolen password could be used for, and until when."""
    before = sum(at <= started for at in loot.let_in_at)
    tell.claim(
        before > 0,
        f"before the end a thief logged in {before} times with the stolen password",
        f"and saw only {', '.join(loot.saw)}, the one row of this task",
    )
    refused = [at for at in loot.refused_at if at > started]
    first_s = min(refused, default=float("inf")) - started
    tell.claim(
        bool(refused),
        f"the database itself refused it {first_s * 1000:.1f} ms after the end was requested",
        loot.said,
    )
    tell.claim(
        not [at for at in loot.let_in_at if at > returned],
        f"after the end returned, none of {sum(at > returned for at in refused)} logins was accepted",
    )
    tell.claim(loot.session_cut, "and the session that the thief had kept open was closed")
