# SPDX-License-Identifier: Apache-2.0
"""Run the race: `python -m bench.race`, or `make race`. It writes build/race.json and build/race.md."""

import argparse
import sys
from pathlib import Path

import msgspec

from bench.race.gateways import GATEWAYS
from bench.race.race import Effort, race
from bench.race.report import markdown, report

PAGE = Path("docs/reference/race.md")
MARK = "<!-- results -->\n"


def main() -> int:
    """Run what was asked for, print the table, and write it; 1 if any gateway could not be measured."""
    names = [each.name for each in GATEWAYS]
    parser = argparse.ArgumentParser(prog="bench.race", description="what passes after an end")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--rounds", type=int, default=Effort().rounds)
    parser.add_argument("--out", type=Path, default=Path("build/race.json"))
    parser.add_argument("--publish", action="store_true", help=f"also write {PAGE} and its JSON")
    given = parser.parse_args()
    if given.publish and (given.only or given.rounds < Effort().rounds):
        parser.error("only a whole run is published: leave out `--only`, and run at least five rounds")
    effort = Effort(rounds=given.rounds)
    results = []
    for kind in GATEWAYS:
        if given.only is None or kind.name in given.only:
            print(f"racing {kind.name}", flush=True)
            results.append(race(kind(), effort))
            print(results[-1].fault or f"{len(results[-1].rounds)} rounds", flush=True)
    found = report(results, effort)
    written = msgspec.json.format(msgspec.json.encode(found), indent=1)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_bytes(written)
    given.out.with_suffix(".md").write_text(markdown(found), "utf-8")
    print(markdown(found))
    if given.publish:
        PAGE.with_suffix(".json").write_bytes(written)
        before = PAGE.read_text("utf-8").partition(MARK)[0]
        PAGE.write_text(before + MARK + "\n" + markdown(found), "utf-8")
    return 1 if any(one.fault for one in results) else 0


if __name__ == "__main__":
    sys.exit(main())
