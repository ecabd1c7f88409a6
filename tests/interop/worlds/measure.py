# SPDX-License-Identifier: Apache-2.0
"""One run over the worlds: replays all of them, and prints the figures of each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from remit.ports.upstream import Catalogue
from remit.rehearse import Rehearsal
from remit.rehearse.rehearsal import AGENT
from tests.interop.agentdojo.dojo import Suite
from tests.interop.agentdojo.figures import WORDS, figures, shown
from tests.interop.agentdojo.replay import Told, cases, rehearsal_of, run
from tests.interop.results import columns, keep
from tests.interop.suite import ROOT
from tests.interop.worlds.replay import Worlds
from tests.interop.worlds.tool import HERE

Json = Any

BUNDLE: Final = Path(__file__).resolve().parent / "bundle"
LATEST: Final = ROOT / "build" / "worlds.json"
PUBLISHED: Final = ROOT / "docs" / "reference" / "worlds.json"
#: No one reads its cases while rules change.
HELD_OUT: Final = "journey"


def replay(*, only: str = "", bounded: bool = False) -> dict[tuple[str, bool], list[Told]]:
    """Replay every episode with all approvers; return them by world, and by whether they had a plan.

    `bounded`: who approves permits as many calls as the question offers.
    """
    told: dict[tuple[str, bool], list[Told]] = {}
    worlds = Worlds()
    suites = [one for one in worlds.suites() if only in ("", one.name)]
    with rehearsal_of(suites, BUNDLE) as rehearsal:
        as_deployed(rehearsal, suites)
        every = list(cases(suites, bounded=bounded))
        for count, case in enumerate(every, 1):
            told.setdefault((case.suite.name, case.planned), []).extend(run(rehearsal, worlds, case))
            if count % 50 == 0 or count == len(every):
                sys.stderr.write(f"\rworlds: {count} of {len(every)} episodes")
                sys.stderr.flush()
    sys.stderr.write("\n")
    return told


def as_deployed(rehearsal: Rehearsal, suites: list[Suite]) -> None:
    """Register the agent for production, and pin what each world's server says of its tools."""
    rehearsal.agent(AGENT, environment="production")
    for suite in suites:
        listed = json.loads((HERE / suite.name / "schemas.json").read_text(encoding="utf-8"))
        catalogue = Catalogue(protocol="2025-11-25", capabilities={"tools": {}}, tools=tuple(listed))
        rehearsal.run(rehearsal.stage.services.tools.registry.learned(suite.name, catalogue))


def measure(
    *,
    publish: bool = False,
    one_by_one: bool = False,
    only: str = "",
    bounded: bool = False,
    say: Callable[[str], object] = print,
) -> Json:
    """Replay the worlds, print a table, and keep the figures; `one_by_one` prints single cases, too."""
    told = replay(only=only, bounded=bounded)
    found = {key: figures(some) for key, some in told.items()}
    if one_by_one:
        for (name, planned), some in told.items():
            if name != HELD_OUT:
                say(f"== {name}, {'with' if planned else 'without'} a plan")
                for line in shown(some):
                    say(line)
    say(columns("with / without a plan", WORDS, found, first=True, digits=4))
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "held_out": HELD_OUT,
        "words": WORDS,
        "worlds": [
            {"name": name, "planned": planned, "figures": one} for (name, planned), one in found.items()
        ],
    }
    if not (only or bounded):
        keep(facts, *((LATEST, PUBLISHED) if publish else (LATEST,)))
    return facts
