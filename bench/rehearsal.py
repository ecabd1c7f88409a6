# SPDX-License-Identifier: Apache-2.0
"""How many calls one core rehearses in a second: whole sessions, from the opening of the task to its end.

The sessions are the ground truths of four tool worlds (`tests.interop.worlds`), recorded beforehand: what a
user asks, each call, and its result. The clock counts the processor time of all threads of the process.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import Any, Final, NamedTuple

from bench.figure import Figure
from bench.measure import layout
from bench.target import confined
from remit.rehearse import Rehearsal
from tests.interop.agentdojo.dojo import Suite
from tests.interop.agentdojo.replay import rehearsal_of, tool_ids
from tests.interop.worlds.cases import UserTask, play
from tests.interop.worlds.measure import BUNDLE, as_deployed
from tests.interop.worlds.replay import cases_of
from tests.interop.worlds.tool import ToolError, world

CALLS: Final = "rehearsal: calls of whole sessions"
#: Not the world whose cases are held out.
WORLDS: Final = ("chat", "crm", "forge", "shop")


class Session(NamedTuple):
    """One user's task: what is asked, and each call with its result and whether that is an error."""

    suite: str
    prompt: str
    calls: list[tuple[str, dict[str, Any], str, bool]]


def recorded(suite: Suite, ids: dict[str, str]) -> list[Session]:
    """Play the ground truths of a world, each in a fresh state, and return what was called and answered."""
    found, sessions = world(suite.name), []
    users: tuple[UserTask, ...] = cases_of(suite.name).USERS
    for user in users:
        calls = []
        for (name, arguments), result in play(found, found.initial(), user.calls):
            failed = isinstance(result, ToolError)
            text = (
                str(result) if failed or isinstance(result, str) else json.dumps(result, ensure_ascii=False)
            )
            calls.append((ids[name], arguments, text, failed))
        sessions.append(Session(suite.name, user.prompt, calls))
    return sessions


def rehearse(rehearsal: Rehearsal, session: Session) -> int:
    """Rehearse a session; return how many of its calls were permitted."""
    rehearsal.restore()
    task = rehearsal.open(task=session.suite, intent=session.prompt)
    permitted = 0
    for tool, arguments, text, failed in session.calls:
        call = task.call(tool, arguments)
        if call.permitted:
            task.result(call, text, error=failed)
            permitted += 1
    task.end()
    return permitted


def rehearsals(quick: bool) -> list[Figure]:
    """Rehearse all sessions several times; the figure is the median of the rounds after the first."""
    suites = [Suite(name, tuple(tool.name for tool in world(name).TOOLS), (), ()) for name in WORLDS]
    rounds: list[float] = []
    with confined(layout().target), rehearsal_of(suites, BUNDLE) as rehearsal:
        as_deployed(rehearsal, suites)
        sessions = [one for suite in suites for one in recorded(suite, tool_ids(rehearsal, suite))]
        calls = sum(len(one.calls) for one in sessions)
        for _ in range(2 if quick else 6):
            began = time.process_time()
            permitted = sum(rehearse(rehearsal, one) for one in sessions)
            rounds.append(calls / (time.process_time() - began))
    size = sum(len(text) for one in sessions for _, _, text, _ in one.calls)
    how = (
        f"{len(sessions)} sessions of {calls} calls with {size / calls / 1000:.1f} KB of results each, "
        f"{permitted} permitted; from the opening of a task to its end; processor time of all threads; "
        f"median of {len(rounds) - 1} rounds after the first"
    )
    return [Figure(name=CALLS, value=statistics.median(rounds[1:]), unit="calls/s", how=how)]
