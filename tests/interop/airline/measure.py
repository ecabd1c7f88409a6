# SPDX-License-Identifier: Apache-2.0
"""One run over the airline domain: replays all of it, prints the figures, and keeps them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeVar

from tests.interop.airline.domain import PACKAGE, Airline, version
from tests.interop.airline.replay import (
    Made,
    Right,
    Ruled,
    When,
    Wrong,
    airline_rehearsal,
    right,
    ruled,
    wrong,
)
from tests.interop.results import keep
from tests.interop.suite import ROOT

Json = Any
_T = TypeVar("_T")

LATEST: Final = ROOT / "build" / "airline.json"
PUBLISHED: Final = ROOT / "docs" / "reference" / "airline.json"


class Tried(NamedTuple):
    """All calls of a run."""

    tasks: int
    right: list[Right]
    wrong: list[Wrong]
    ruled: list[Ruled]


def tried(airline: Airline) -> Tried:
    """Replay every task, and the business rules for every customer of a task; tells how far it is."""
    tasks = airline.tasks()
    all_of = Tried(len(tasks), [], [], [])
    with airline_rehearsal(airline) as rehearsal:
        for count, task in enumerate(tasks, 1):
            all_of.right.extend(right(rehearsal, airline, task))
            all_of.wrong.extend(wrong(rehearsal, airline, task))
            sys.stderr.write(f"\rairline: {count} of {len(tasks)} tasks")
            sys.stderr.flush()
        for customer in sorted({task.customer for task in tasks}):
            all_of.ruled.extend(ruled(rehearsal, airline, customer))
        sys.stderr.write("\n")
    return all_of


def figures(found: Tried) -> Iterator[tuple[str, str, float]]:
    """Yield each figure with its name and what it means."""
    yield "tasks", "tasks", found.tasks
    yield "right", "right calls, as recorded", sum(not one.told for one in found.right)
    for told, name, words in ((False, "goal", "goal alone"), (True, "told", "customer's words")):
        made = [one.made for one in found.right if one.told is told]
        yield (
            f"first_{name}",
            f"right calls refused until a named look-up is made, {words}, %",
            _share(made, lambda one: one.first.outcome == "deny"),
        )
        yield (
            f"refused_{name}",
            f"right calls refused, {words}, %",
            _share(made, lambda one: one.outcome == "deny"),
        )
        yield (
            f"asked_{name}",
            f"right calls asked about, {words}, %",
            _share(made, lambda one: one.outcome == "defer"),
        )
    for when in When:
        some = [one.made for one in found.wrong if one.when is when]
        yield f"wrong_{when.name.lower()}", f"calls for a wrong customer, {when.value}", len(some)
        yield (
            f"missed_{when.name.lower()}",
            "of these neither refused at once nor after look-ups, %",
            _share(some, lambda one: one.outcome != "deny"),
        )
    for allowed, name, words in ((True, "allowed", "allow"), (False, "forbidden", "forbid")):
        ours = [one for one in found.ruled if one.allowed is allowed]
        yield name, f"calls that the business rules {words}", len(ours)
        yield (
            f"objected_{name}",
            "of these, calls to which a business rule objects, %",
            _share(ours, lambda one: one.objected),
        )


def measure(*, publish: bool = False, one_by_one: bool = False, say: Callable[[str], object] = print) -> Json:
    """Replay everything, print the table, and keep the figures; `one_by_one` prints single calls, too.

    Raises `NotInstalled` where the package cannot be had.
    """
    with Airline() as airline:
        found = tried(airline)
    if one_by_one:
        for line in shown(found):
            say(line)
    listed = list(figures(found))
    width = max(len(what) for _, what, _ in listed)
    for _, what, value in listed:
        say(f"{what:{width}}  {value:>6g}")
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "package": PACKAGE,
        "version": version(),
        "figures": [{"name": name, "what": what, "value": value} for name, what, value in listed],
    }
    keep(facts, *((LATEST, PUBLISHED) if publish else (LATEST,)))
    return facts


def shown(found: Tried) -> Iterator[str]:
    """Yield a line for each right call that was not permitted, and each other call that went wrong."""
    for one in found.right:
        if one.made.outcome != "permit":
            yield f"right, task {one.task}{', told' if one.told else ''}: {_line(one.made)}"
    for each in found.wrong:
        if each.made.outcome != "deny":
            yield f"wrong, task {each.task}, {each.when}: {_line(each.made)}"
    for ruling in found.ruled:
        if ruling.objected is ruling.allowed:
            yield f"rules {'allow' if ruling.allowed else 'forbid'}: {_line(ruling.made)}"


def _line(made: Made) -> str:
    return f"{made.call[1]} {made.last!r}"


def _share(some: Iterable[_T], holds: Callable[[_T], bool]) -> float:
    found = [holds(one) for one in some]
    return round(100 * sum(found) / len(found), 1) if found else 0.0
