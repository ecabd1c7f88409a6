# SPDX-License-Identifier: Apache-2.0
"""One run of the whole replay: installs, replays, and gives figures."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.interop.agentdojo import dojo
from tests.interop.agentdojo.figures import facts, figures, shown, table
from tests.interop.agentdojo.replay import BUNDLE, LABELLED, Told, cases, rehearsal_of, run
from tests.interop.results import keep
from tests.interop.suite import ROOT

Json = Any

#: By whose labels: the bundle, and the name of the file with the figures.
LABELS: Final = {
    "others": (LABELLED, "agentdojo.json"),
    "own": (BUNDLE, "agentdojo-own.json"),
}
LATEST: Final = ROOT / "build"
PUBLISHED: Final = ROOT / "docs" / "reference"


def replay(*, only: str = "", bundle: Path = BUNDLE, bounded: bool = False) -> dict[bool, list[Told]]:
    """Replay every episode with all three approvers; gives them by whether they had a plan.

    `only` names one suite; `bounded`: who approves permits as many calls as are offered. Tells how far it is.
    """
    told: dict[bool, list[Told]] = {True: [], False: []}
    with dojo.Dojo() as running:
        suites = [one for one in running.suites() if only in ("", one.name)]
        with rehearsal_of(suites, bundle) as rehearsal:
            every = list(cases(suites, bounded=bounded))
            for count, case in enumerate(every, 1):
                told[case.planned] += run(rehearsal, running, case)
                if count % 50 == 0 or count == len(every):
                    sys.stderr.write(f"\ragentdojo: {count} of {len(every)} episodes")
                    sys.stderr.flush()
        sys.stderr.write("\n")
    return told


def measure(
    *,
    publish: bool = False,
    one_by_one: bool = False,
    only: str = "",
    labels: str = "others",
    bounded: bool = False,
    say: Callable[[str], object] = print,
) -> Json:
    """Replay everything, print the table, and keep the figures; `one_by_one` prints single cases, too.

    `labels` is one of `LABELS`. Raises `NotInstalled` where AgentDojo cannot be had.
    """
    dojo.install()
    bundle, name = LABELS[labels]
    told = replay(only=only, bundle=bundle, bounded=bounded)
    if one_by_one:
        for with_plan, some in told.items():
            say(f"== {'with' if with_plan else 'without'} a plan")
            for line in shown(some):
                say(line)
    planned, unplanned = figures(told[True]), figures(told[False])
    say(table(planned, unplanned))
    found = facts(dojo.version(), datetime.now(UTC).date().isoformat(), planned, unplanned)
    if not (only or bounded):
        keep(found, *(folder / name for folder in ((LATEST, PUBLISHED) if publish else (LATEST,))))
    return found
