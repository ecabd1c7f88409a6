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
ALONE: Final = "rehearsal: the same without opening and end"
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


def rehearse(rehearsal: Rehearsal, session: Session) -> tuple[int, float]:
    """Rehearse a session; return how many calls were permitted, and the seconds without opening and end."""
    rehearsal.restore()
    task = rehearsal.open(task=session.suite, intent=session.prompt)
    permitted, began = 0, time.process_time()
    for tool, arguments, text, failed in session.calls:
        call = task.call(tool, arguments)
        if call.permitted:
            task.result(call, text, error=failed)
            permitted += 1
    took = time.process_time() - began
    task.end()
    return permitted, took


def rehearsals(quick: bool) -> list[Figure]:
    """Rehearse all sessions several times; a figure is the median of the rounds after the first."""
    suites = [Suite(name, tuple(tool.name for tool in world(name).TOOLS), (), ()) for name in WORLDS]
    whole, alone = list[float](), list[float]()
    with confined(layout().target), rehearsal_of(suites, BUNDLE) as rehearsal:
        as_deployed(rehearsal, suites)
        sessions = [one for suite in suites for one in recorded(suite, tool_ids(rehearsal, suite))]
        calls = sum(len(one.calls) for one in sessions)
        size = sum(len(text) for one in sessions for _, _, text, _ in one.calls)
        permitted = sum(rehearse(rehearsal, one)[0] for one in sessions)
        for _ in range(1 if quick else 7):
            began = time.process_time()
            took = sum(rehearse(rehearsal, one)[1] for one in sessions)
            whole.append(calls / (time.process_time() - began))
            alone.append(calls / took)
    how = (
        f"{len(sessions)} sessions of {calls} calls, {permitted} permitted; {size / calls / 1000:.1f} KB of "
        f"results a call; processor time of all threads; median of {len(whole)} rounds"
    )
    return [
        Figure(name=CALLS, value=statistics.median(whole), unit="calls/s", how=how),
        Figure(name=ALONE, value=statistics.median(alone), unit="calls/s", how=how),
    ]
