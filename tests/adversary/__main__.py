# SPDX-License-Identifier: Apache-2.0
"""Attack remit's own judgement of flow, and see that ordinary work passes.

    python -m tests.adversary                       100,000 candidates, and all ordinary forms
    python -m tests.adversary --tries 5000 --seed 7 another search, which is the same each time
    python -m tests.adversary --open                and show what is known to be open, too
    python -m tests.adversary --publish             and keep the figures for the documentation

What passes is made small and printed as a scenario. Figures and cases go to `build/adversary.json`. Exits 1
where an attack passed that is not known to be open, or more than one ordinary form in 200
was stopped that is not known to be.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from tests.adversary.figures import LATEST, PUBLISHED, facts, published, summary, write
from tests.adversary.ordinary import stopped
from tests.adversary.said import OPEN, STOPPED, like, said_forms
from tests.adversary.search import attacked
from tests.adversary.stage import Stage
from tests.adversary.utterances import forms

MOST_STOPPED = 0.005


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.adversary", description=__doc__)
    parser.add_argument("--tries", type=int, default=100_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, default=LATEST)
    parser.add_argument("--open", action="store_true")
    parser.add_argument("--publish", action="store_true")
    given = parser.parse_args()
    began = time.monotonic()
    tally = attacked(given.seed, given.tries, given.workers, () if given.open else OPEN)
    seconds = time.monotonic() - began
    every = [*forms(), *said_forms(len(forms()))]
    with Stage() as stage:
        halted = list(stopped(stage, every))
    found = facts(tally, every, halted, seed=given.seed, seconds=seconds)
    write(given.json, found)
    if given.publish:
        write(PUBLISHED, published(found))
    raised = [f"remit raised: {where}: {value}" for where, value in tally.raised.items()]
    for one in (*tally.cases, *halted, *tally.disagreed, *raised):
        sys.stdout.write(f"{one}\n")
    sys.stdout.write(f"{summary(found)}\n")
    fresh = [one for one in halted if not like(one.form.scene, STOPPED)]
    return 1 if tally.found or tally.disagreed or raised or len(fresh) > MOST_STOPPED * len(every) else 0


if __name__ == "__main__":
    sys.exit(main())
