# SPDX-License-Identifier: Apache-2.0
"""See whether proofs about mutated bundles are right: each is labelled by every call of a small world.

    python -m tests.proofs                 120 mutated bundles
    python -m tests.proofs --bundles 20    fewer

Needs what `make proof` installs. Exits 1 where a widening was missed or an alarm was false.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from pathlib import Path

from remit.core.errors import ConfigInvalid
from tests.proofs.labelled import ENGINE, Judged, judged

LATEST = Path("build") / "proofs.json"


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs", description=__doc__)
    parser.add_argument("--bundles", type=int, default=120)
    parser.add_argument("--json", type=Path, default=LATEST)
    given = parser.parse_args()
    programs = ENGINE.prover().programs()
    found: list[Judged] = []
    seconds: list[float] = []
    refused = 0
    for seed in range(given.bundles):
        try:
            ones, spent = judged(seed)
        except ConfigInvalid:
            refused += 1  # no such bundle comes into force: `remit policy check` calls a rule contradictory
            continue
        sys.stderr.write(f"\r{seed + 1} of {given.bundles}")
        found += ones
        changed = sum(bool(one.answers) for one in ones)
        if changed:
            seconds.append(spent / changed)
        for one in ones:
            if one.missed or one.false_alarm or not one.decided:
                word = "missed" if one.missed else "false alarm" if one.false_alarm else "open"
                sys.stdout.write(f"{word}: {one.seed} {one.tool}: {one.mutation} {' '.join(one.why)}\n")
    sys.stderr.write("\n")
    told = {
        "bundles": given.bundles - refused,
        "refused_by_check": refused,
        "statements": 2 * len(found),
        "calls": sum(one.calls for one in found),
        "wider": sum(one.wider for one in found),
        "errs": sum(one.errs for one in found),
        "missed": sum(one.missed for one in found),
        "false_alarms": sum(one.false_alarm for one in found),
        "decided": round(sum(one.decided for one in found) / len(found), 4),
        "seconds_per_changed_tool": round(statistics.median(seconds), 2) if seconds else 0,
        "slowest": max(seconds, default=0),
        "cedar": programs.cedar,
        "cvc5": programs.solver,
        "machine": platform.machine(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    for name, value in told.items():
        sys.stdout.write(f"{name.replace('_', ' '):<26}{value}\n")
    return 1 if told["missed"] or told["false_alarms"] else 0


if __name__ == "__main__":
    sys.exit(main())
