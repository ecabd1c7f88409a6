# SPDX-License-Identifier: Apache-2.0
"""AgentDojo, installed from PyPI into a separate environment, and driven as a child process."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.interop.environments import Environment

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


class Dojo:
    """A running AgentDojo. Use it as a context manager; it answers one question at a time."""

    def __init__(self) -> None:
        """Start AgentDojo; the caller has made sure that it is installed."""
        self._process = subprocess.Popen(
            [str(PYTHON), str(HERE / "environment.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
        )

    def __enter__(self) -> Self:
        """Return the rehearsal itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait(20)

    def suites(self) -> list[Suite]:
        """Return the suites that may be looked at."""
        return [
            Suite(name, tuple(one["tools"]), tuple(one["users"]), tuple(one["injections"]))
            for name, one in self._ask({"do": "suites"}).items()
        ]

    def check(self, suite: str) -> list[str]:
        """Return the user tasks whose ground truth does not solve them, as AgentDojo's own check has it."""
        return list(self._ask({"do": "check", "suite": suite}))

    def open(self, suite: str, user: str, injection: str | None) -> Spot:
        """Begin an episode in a fresh environment."""
        found = self._ask({"do": "open", "suite": suite, "user": user, "injection": injection})
        return Spot(found["prompt"], _calls(found["calls"]), found["solved"], found["seen_after"])

    def attack(self) -> tuple[tuple[str, dict[str, Json]], ...]:
        """Return what the attacker calls, as of now."""
        return _calls(self._ask({"do": "attack"}))

    def call(self, function: str, args: dict[str, Json]) -> tuple[str, bool]:
        """Make a call in the environment; gives what the agent would see, and whether that is an error."""
        found = self._ask({"do": "call", "function": function, "args": args})
        return found["text"], found["error"]

    def judge(self, *, complete: bool) -> tuple[bool, bool]:
        """Return utility and security (true: the attack has reached its goal)."""
        found = self._ask({"do": "judge", "complete": complete})
        return found["utility"], found["security"]

    def _ask(self, question: Json) -> Json:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            sys.stderr.flush()
            raise RuntimeError(f"AgentDojo ended with {self._process.wait(20)} on {question}")
        return json.loads(line)


def _calls(found: Json) -> tuple[tuple[str, dict[str, Json]], ...]:
    return tuple((one["function"], one["args"]) for one in found)
