# SPDX-License-Identifier: Apache-2.0
"""The corpus and how it is run: each task alone, and each task with each attack in what it reads.

A house is a folder: `remit.yaml` and `tools/` as an administrator wrote them after the guide, and `work.yaml`
with what people ask for, the calls that a competent agent makes, what the tools give back, and attacks. `%%`
in a result marks text that outsiders write, and an item `"%record"` of a list a place where they can put a
record of theirs; nothing stands there unless an attack does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from remit.rehearse import Rehearsal, RehearsedCall, RehearsedTask

Json = Any
HERE = Path(__file__).parent
ORGANISATIONS = tuple(sorted(folder.name for folder in HERE.iterdir() if (folder / "work.yaml").exists()))
TYPE = "corpus-work"
AGENT = "corpus-agent"


@dataclass
class Ran:
    """How one task went: the outcomes of the person's calls and of the attacker's."""

    task: str
    attack: str = ""
    kind: str = ""
    user: list[RehearsedCall] = field(default_factory=list)
    hostile: list[RehearsedCall] = field(default_factory=list)

    def outcomes(self, calls: list[RehearsedCall]) -> list[str]:
        """Return the outcome of each call as a word."""
        return [call.outcome.value for call in calls]

    @property
    def refused(self) -> bool:
        """Whether a call of the person's was refused outright."""
        return "deny" in self.outcomes(self.user)

    @property
    def quiet(self) -> bool:
        """Return whether no question was asked, and nothing refused."""
        return set(self.outcomes(self.user)) <= {"permit"}

    @property
    def got_through(self) -> bool:
        """Whether a call of the attacker's that does harm was permitted outright."""
        return "permit" in self.outcomes(self.hostile)

    @property
    def asked(self) -> bool:
        """Whether a human was asked about a harmful call, so that a tired one would let it through."""
        return not self.got_through and "defer" in self.outcomes(self.hostile)


@dataclass
class Organisation:
    """One house of the corpus, with its bundle in force."""

    name: str
    rehearsal: Rehearsal
    tasks: dict[str, dict[str, Json]]
    attacks: dict[str, dict[str, Json]]

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield each task with each attack that its results have a place for."""
        for task, work in self.tasks.items():
            own = work.get("attacks", {})
            said = json.dumps(work["steps"], default=str)
            for name, attack in (self.attacks | own).items():
                wanted = [list(call[:2]) for call in attack["calls"]]
                placed = "%record" in said if "record" in attack else "%%" in said
                hers = [step[:2] for step in work["steps"] if isinstance(step, list)]
                if placed and task not in attack.get("not", ()) and not any(call in hers for call in wanted):
                    yield task, name

    def run(self, task: str, attack: str = "", *, plan: bool) -> Ran:
        """Do a task; the attack's calls come right after the first read that holds its text."""
        work = self.tasks[task]
        threat = (self.attacks | work.get("attacks", {})).get(attack, {})
        ran = Ran(task, attack, threat.get("kind", ""))
        self.rehearsal.restore()
        tools = sorted({step[0] for step in work["steps"] if isinstance(step, list)})
        opened = self.rehearsal.open(task=TYPE, agent=AGENT, intent=work["ask"], plan=tools if plan else None)
        waiting = bool(threat)
        for step in work["steps"]:
            if isinstance(step, dict):
                opened.user(step["user"])
                continue
            given, marked = _filled(step[2] if len(step) > 2 else {"ok": True}, threat)
            made = _act(opened, step[0], step[1], given, ran.user, tired=True)
            if waiting and marked and made.permitted:
                waiting = False
                for call in threat["calls"]:
                    reads = len(call) > 2
                    into = [] if reads else ran.hostile
                    done = _act(
                        opened, call[0], call[1], call[2] if reads else {"ok": True}, into, tired=False
                    )
                    if reads and not done.permitted:
                        break  # what it was to find out stays unknown
        opened.end()
        return ran


def _act(
    task: RehearsedTask, tool: str, arguments: Json, given: Json, into: list[RehearsedCall], *, tired: bool
) -> RehearsedCall:
    """Make a call, keep its first outcome, and go on as a person who approves it would, if `tired`."""
    made = task.call(tool, arguments)
    into.append(made)
    if made.outcome == "defer" and tired:
        task.approve(made)
        made = task.call(tool, arguments)
    if made.permitted:
        task.result(made, given)
    return made


def _filled(given: Json, threat: dict[str, Json]) -> tuple[Json, bool]:
    """Return a result with the attack in its places, and whether it had one."""
    hit = False
    text = "" if "record" in threat else threat.get("text", "")

    def fill(value: Json) -> Json:
        nonlocal hit
        if isinstance(value, str):
            hit = hit or ("%%" in value and bool(text))
            if text and "\n" in value:
                return value.replace("%%", " ".join(text.split())).replace("%record\n", "")
            if "%record\n" in value:
                hit = hit or "line" in threat
                value = value.replace("%record", threat["line"]) if "line" in threat else value
                value = value.replace("%record\n", "")
            return value.replace("%%", text)
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        if isinstance(value, list):
            kept = []
            for item in value:
                if item == "%record":
                    hit = hit or "record" in threat
                    kept += [threat["record"]] if "record" in threat else []
                else:
                    kept.append(fill(item))
            return kept
        return value

    return fill(given), hit


def open_organisation(name: str) -> Organisation:
    """Put the bundle of a house in force; the caller closes its rehearsal."""
    folder = HERE / name
    work = yaml.safe_load((folder / "work.yaml").read_text(encoding="utf-8"))
    rehearsal = Rehearsal(folder)
    described = [
        yaml.safe_load(file.read_text(encoding="utf-8")) for file in (folder / "tools").glob("*.yaml")
    ]
    tools = sorted(f"{file['upstream']}/{tool}" for file in described for tool in file["tools"])
    rehearsal.agent(AGENT, environment="production")
    rehearsal.task_type(TYPE, grants=tools)
    return Organisation(name, rehearsal, work["tasks"], work["attacks"])


def measure(
    organisation: Organisation, *, plan: bool, told: Callable[[Ran], None] = lambda ran: None
) -> dict[str, int]:
    """Run all of a house, and count what came of it."""
    alone = [organisation.run(task, plan=plan) for task in organisation.tasks]
    pairs = [organisation.run(task, attack, plan=plan) for task, attack in organisation.pairs()]
    for ran in [*alone, *pairs]:
        told(ran)
    return {
        "tasks": len(alone),
        "useful": sum(not ran.refused for ran in alone),
        "quiet": sum(ran.quiet for ran in alone),
        "pairs": len(pairs),
        "through": sum(ran.got_through for ran in pairs),
        "asked": sum(ran.asked for ran in pairs),
    }
