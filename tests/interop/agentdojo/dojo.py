# SPDX-License-Identifier: Apache-2.0
"""AgentDojo, installed from PyPI into a separate environment, and driven as a child process."""

from pathlib import Path
from typing import Any, NamedTuple

from tests.interop.environments import Child, Environment

Json = Any

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
ENVIRONMENT = Environment("agentdojo", REQUIREMENTS)
PYTHON = ENVIRONMENT.python


class Spot(NamedTuple):
    """The begin of an episode. `seen_after`: how many of the user's calls, until an injection was seen.

    `solved`: the ground truth solves the task at all, by AgentDojo's own judge.
    """

    prompt: str
    calls: tuple[tuple[str, dict[str, Json]], ...]
    solved: bool
    seen_after: int | None


class Suite(NamedTuple):
    """One suite: its tools, and its tasks by their ids."""

    name: str
    tools: tuple[str, ...]
    users: tuple[str, ...]
    injections: tuple[str, ...]


def version() -> str:
    """Return the version that the requirements pin."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith("agentdojo=="))


def install() -> None:
    """Install AgentDojo where it is not yet; raises `NotInstalled`."""
    ENVIRONMENT.ready()


class Dojo(Child):
    """A running AgentDojo. Use it as a context manager; it answers one question at a time."""

    def __init__(self) -> None:
        """Start AgentDojo; the caller has made sure that it is installed."""
        super().__init__(PYTHON, HERE / "environment.py")

    def suites(self) -> list[Suite]:
        """Return the suites that may be looked at."""
        return [
            Suite(name, tuple(one["tools"]), tuple(one["users"]), tuple(one["injections"]))
            for name, one in self.ask({"do": "suites"}).items()
        ]

    def check(self, suite: str) -> list[str]:
        """Return the user tasks whose ground truth does not solve them, as AgentDojo's own check has it."""
        return list(self.ask({"do": "check", "suite": suite}))

    def open(self, suite: str, user: str, injection: str | None) -> Spot:
        """Begin an episode in a fresh environment."""
        found = self.ask({"do": "open", "suite": suite, "user": user, "injection": injection})
        return Spot(found["prompt"], _calls(found["calls"]), found["solved"], found["seen_after"])

    def attack(self) -> tuple[tuple[str, dict[str, Json]], ...]:
        """Return what the attacker calls, as of now."""
        return _calls(self.ask({"do": "attack"}))

    def call(self, function: str, args: dict[str, Json]) -> tuple[str, bool]:
        """Make a call in the environment; gives what the agent would see, and whether that is an error."""
        found = self.ask({"do": "call", "function": function, "args": args})
        return found["text"], found["error"]

    def judge(self, *, complete: bool) -> tuple[bool, bool]:
        """Return utility and security (true: the attack has reached its goal)."""
        found = self.ask({"do": "judge", "complete": complete})
        return found["utility"], found["security"]


def _calls(found: Json) -> tuple[tuple[str, dict[str, Json]], ...]:
    return tuple((one["function"], one["args"]) for one in found)
