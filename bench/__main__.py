# SPDX-License-Identifier: Apache-2.0
"""Measure: `python -m bench [--quick] [--only NAME]... [--publish]`.

Prints a table and writes `build/bench.json`; with `--publish` also the copy that the documentation quotes.

Exits 0 when everything was measured and every answer was right, 1 otherwise. A goal that is missed is printed
and recorded, and does not change the exit code: this is a measurement, not a test.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import psutil
from rich.console import Console

from bench.figure import Figure
from bench.measure import FULL, QUICK, Measured, figures, layout, measure
from bench.report import judged, machine, show, write
from bench.targets import GOALS, PROBES, RATIOS, TARGETS


def main() -> int:
    """Run what was asked for; the exit code."""
    names = [*PROBES, *(t.name for t in TARGETS)]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a short run, for a first impression")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    parser.add_argument("--publish", action="store_true", help="also write docs/reference/bench.json")
    given = parser.parse_args()
    if given.publish and (given.quick or given.only):
        parser.error("only a whole run is published")
    wanted = given.only or names
    console = Console() if sys.stdout.isatty() else Console(width=132)
    about, cpus, effort = machine(), layout(), QUICK if given.quick else FULL
    console.print(f"{about['cpu']}, {about['cpus']} CPUs, Python {about['python']}; {cpus.words()}")

    measured: list[Figure] = []
    faults: list[str] = []
    for name, probe in PROBES.items():
        if name in wanted:
            console.print(f"measuring {name}")
            measured += probe(given.quick)
    found: dict[str, list[Measured]] = {target.name: [] for target in TARGETS if target.name in wanted}
    for number in range(1, effort.passes + 1):
        for target in TARGETS:
            if target.name not in found:
                continue
            console.print(f"measuring {target.name}, {number} of {effort.passes}")
            try:
                one = measure(target, effort, cpus, last=number == effort.passes)
            except (RuntimeError, OSError, subprocess.SubprocessError, psutil.Error) as e:
                faults.append(f"{target.name}: {e}")
                continue
            faults += [f"{target.name}: {e}" for o in one.outcomes() for e in o.first_errors]
            found[target.name].append(one)
    for name, passes in found.items():
        measured += figures(name, passes, cpus) if passes else []

    final = judged(measured, GOALS, RATIOS)
    show(console, final)
    write(given.out, final, about, given.quick)
    if given.publish and not faults:
        write(Path("docs/reference/bench.json"), final, about, given.quick)
    for fault in faults:
        console.print(fault, style="red", markup=False)
    console.print(f"written to {given.out}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
