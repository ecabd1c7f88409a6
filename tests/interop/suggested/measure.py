# SPDX-License-Identifier: Apache-2.0
"""Learns rules on one half of what was observed, and tests them on the other half; each half has its turn.

Of each world, half of the person's tasks are the history. In a second run the attacker is there, too: each of
the world's attacks succeeds several times in the half that is learnt from, because observe mode refuses
nothing. The other half is then decided by what was suggested, without an approver: the tasks alone, and each
with each attack.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from remit.core.decisions.decision import Outcome
from remit.core.tools.suggestions import TypeDraft, grants_of
from tests.interop.results import columns, keep
from tests.interop.suggested.house import enforcing, episode, learnt, observing, refused_by_grants
from tests.interop.suite import ROOT
from tests.interop.worlds.replay import Worlds
from tests.samples.planted import OCCURRENCES, planted
from tests.samples.work_history import ATTACKS, REQUIRED, Office

Json = Any

LATEST: Final = ROOT / "build" / "suggested.json"
PUBLISHED: Final = ROOT / "docs" / "reference" / "suggested.json"
#: Worlds with open cases; the held-out one is no history.
WORLDS: Final = ("chat", "crm", "forge", "shop")
#: How often each attack succeeds in the half that is learnt from.
TIMES: Final = 3
SEEDS: Final = range(5)
OFFICE_CALLS: Final = 4_000
WORDS: Final = {
    "learnt": "calls learnt from, per half",
    "attacked": "of these, the attacker's",
    "calls": "ordinary calls tested",
    "ungranted": "ordinary calls that the suggested grants refuse, per 1,000",
    "unseen": "of these, of a tool that the learnt half never used, per 1,000",
    "guarded": "ordinary calls that flow and clearance refuse, per 1,000",
    "asked": "ordinary calls that a person is asked about, per 1,000",
    "attacks": "attacks tried",
    "read": "attacks whose text the agent gets to read, %",
    "stopped": "attacks that do not reach their goal, %",
    "by_grants": "of those read, attacks in which the grants alone refuse a call, %",
}


@dataclass
class Counts:
    """What was counted, over both halves."""

    halves: int = 0
    learnt: int = 0
    attacked: int = 0
    calls: int = 0
    ungranted: int = 0
    unseen: int = 0
    guarded: int = 0
    asked: int = 0
    attacks: int = 0
    read: int = 0
    stopped: int = 0
    by_grants: int = 0

    def figures(self) -> dict[str, float]:
        """Return the figures by the keys of `WORDS`."""
        found: dict[str, float] = asdict(self)
        del found["halves"]
        for key in ("learnt", "attacked"):
            found[key] = round(found[key] / self.halves)
        for key in ("ungranted", "unseen", "guarded", "asked"):
            found[key] = round(1_000 * found[key] / self.calls, 1)
        found["by_grants"] = round(100 * found["by_grants"] / self.read, 1)
        for key in ("read", "stopped"):
            found[key] = round(100 * found[key] / self.attacks, 1)
        return found


def office(*, attacked: bool) -> Counts:
    """Return what is counted of the office, with a long history; the grants alone decide."""
    made = Counts()
    for seed in SEEDS:
        history = Office(seed).history(2 * OFFICE_CALLS)
        first = history[:OFFICE_CALLS]
        if attacked:
            first = planted(first)
        draft = grants_of("everyday", first, REQUIRED)
        made.halves += 1
        made.learnt += len(first)
        made.attacked += len(first) - OFFICE_CALLS
        for one in history[OFFICE_CALLS:]:
            made.calls += 1
            refused = refused_by_grants(draft, one.tool, one.arguments)
            made.ungranted += refused
            made.unseen += one.tool not in {grant.tool for grant in draft.grants}
        stopped = sum(refused_by_grants(draft, tool, arguments) for tool, arguments in ATTACKS)
        made.attacks += len(ATTACKS)
        made.read += len(ATTACKS)
        made.stopped += stopped
        made.by_grants += stopped
    return made


def world(name: str, *, attacked: bool) -> Counts:
    """Return what is counted of a world."""
    made, worlds = Counts(), Worlds()
    suite = next(one for one in worlds.suites() if one.name == name)
    for half in (0, 1):
        learn, test = suite.users[half::2], suite.users[1 - half :: 2]
        with observing(name) as house:
            for user in learn:
                episode(house, worlds, name, user)
            for number, attack in enumerate(suite.injections if attacked else ()):
                for turn in range(TIMES):
                    user = learn[(number * TIMES + turn) % len(learn)]
                    calls = episode(house, worlds, name, user, attack)
                    made.attacked += sum(one.attacker for one in calls)
            draft, tools = learnt(house, name)
        made.halves += 1
        made.learnt += draft.calls
        with enforcing(name, draft, tools) as house:
            for user in test:
                _ordinary(made, draft, episode(house, worlds, name, user))
                for attack in suite.injections:
                    calls = episode(house, worlds, name, user, attack)
                    made.attacks += 1
                    made.read += any(one.attacker for one in calls)
                    made.stopped += not worlds.judge(complete=False)[1]
                    made.by_grants += any(one.ungranted for one in calls if one.attacker)
    return made


def _ordinary(made: Counts, draft: TypeDraft, calls: Json) -> None:
    granted = {one.tool for one in draft.grants}
    for one in calls:
        made.calls += 1
        if one.ungranted:
            made.ungranted += 1
            made.unseen += one.call.tool not in granted
        elif one.call.outcome is Outcome.DENY:
            made.guarded += 1
        elif one.call.outcome is Outcome.DEFER:
            made.asked += 1


def measure(*, publish: bool = False, only: str = "", say: Callable[[str], object] = print) -> Json:
    """Measure the office and the worlds, print a table, and keep the figures."""
    found: dict[tuple[str, bool], dict[str, float]] = {}
    for name in ("office", *WORLDS):
        for attacked in (False, True):
            if only in ("", name):
                counts = office(attacked=attacked) if name == "office" else world(name, attacked=attacked)
                found[name, attacked] = counts.figures()
                sys.stderr.write(f"\rsuggest: {name}, {'attacked' if attacked else 'calm'}      ")
    sys.stderr.write("\n")
    say(columns("learnt in calm / under attack", WORDS, found, first=False, digits=5))
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "words": WORDS,
        "occurrences": {"office": OCCURRENCES, "worlds": TIMES},
        "histories": [
            {"name": name, "attacked": attacked, "figures": one} for (name, attacked), one in found.items()
        ],
    }
    if not only:
        keep(facts, *((LATEST, PUBLISHED) if publish else (LATEST,)))
    return facts
