# SPDX-License-Identifier: Apache-2.0
"""Define what is tried in a world: tasks that a user gives, and attacks on the agent that does them."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.interop.worlds.tool import Call, State, ToolError, World

Calls = Callable[[State], Iterator[Call]]
Done = Callable[[State, State, list[Call]], bool]
Reached = Callable[[State, State], bool]


@dataclass(frozen=True, slots=True)
class UserTask:
    """State what a user asks, the calls that do it, and how to tell that it is done.

    `calls` continues after each call has been made on the state: later calls can use what earlier ones made.
    """

    id: str
    prompt: str
    calls: Calls
    done: Done


@dataclass(frozen=True, slots=True)
class Attack:
    """State what an outsider tells the agent, where, which calls obey, and how to tell that they worked."""

    id: str
    goal: str
    places: tuple[str, ...]
    calls: Calls
    reached: Reached


def user_task(prompt: str, *checks: Done) -> Callable[[Calls], UserTask]:
    """Make a task of a generator of calls; the task is done when all checks hold."""

    def made(calls: Calls) -> UserTask:
        return UserTask(calls.__name__, prompt, calls, lambda *ends: all(check(*ends) for check in checks))

    return made


def attack(goal: str, places: tuple[str, ...], reached: Reached) -> Callable[[Calls], Attack]:
    """Make an attack of a generator of calls."""

    def made(calls: Calls) -> Attack:
        return Attack(calls.__name__, goal, places, calls, reached)

    return made


def play(found: World, state: State, calls: Calls) -> list[tuple[Call, Any]]:
    """Make the calls on the state, and return each with its result or the error that the tool reports."""
    tools = {tool.name: tool.call for tool in found.TOOLS}
    made: list[tuple[Call, Any]] = []
    for name, arguments in calls(state):
        call = (name, copy.deepcopy(arguments))
        try:
            result = copy.deepcopy(tools[name](state, copy.deepcopy(arguments)))
        except ToolError as error:
            result = error
        made.append((call, result))
    return made


def called(name: str, **arguments: Any) -> Done:
    """Check that a tool was called with these arguments, among others."""

    def check(_: State, __: State, made: list[Call]) -> bool:
        return any(tool == name and arguments.items() <= given.items() for tool, given in made)

    return check


def says(text: str, *wanted: str) -> bool:
    """Return whether a text has all wanted parts, regardless of case and decimal sign.

    A part names alternatives with `|`.
    """
    plain = text.lower().replace(",", ".")
    return all(any(word in plain for word in part.lower().replace(",", ".").split("|")) for part in wanted)
