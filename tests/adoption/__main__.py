# SPDX-License-Identifier: Apache-2.0
"""Measure how a newcomer comes from nothing to enforced rules, with four public MCP servers.

    python -m tests.adoption               the whole walk; prints a table, writes build/adoption.json
    python -m tests.adoption --json        the figures as JSON
    python -m tests.adoption --publish     also docs/reference/adoption.json

Exits 0 if every goal is held, 1 if one is missed, 3 if the servers cannot be installed.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.adoption.figures import facts, figures_of, show
from tests.adoption.walk import SESSIONS, Tried, walk
from tests.interop.suite import NotInstalled

LATEST = Path("build/adoption.json")
PUBLISHED = Path("docs/reference/adoption.json")


def main() -> int:
    """Walk, print, write; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.adoption", description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--publish", action="store_true", help=f"also write {PUBLISHED}")
    parser.add_argument("--sessions", type=int, default=SESSIONS, help="sessions of each half")
    parser.add_argument("--cases", action="store_true", help="print each attack, too")
    given = parser.parse_args()
    if given.publish and given.sessions != SESSIONS:
        parser.error("only a whole run is published")
    told, load = Console(stderr=True), os.getloadavg()[0]
    try:
        with tempfile.TemporaryDirectory(prefix="remit-adoption-", ignore_cleanup_errors=True) as kept:
            made = walk(Path(kept), told.print, sessions=given.sessions)
    except NotInstalled as fault:
        told.print(str(fault), style="red", markup=False)
        return 3
    found = figures_of(made)
    written = json.dumps(facts(found, made, load), indent=1) + "\n"
    for file in (LATEST, PUBLISHED) if given.publish else (LATEST,):
        file.parent.mkdir(exist_ok=True)
        file.write_text(written, encoding="utf-8")
    if given.json:
        sys.stdout.write(written)
    else:
        show(Console() if sys.stdout.isatty() else Console(width=150), found)
    for one in [*made.attacks, *made.inside_vouched]:
        if given.cases or (one.through and one in made.attacks):
            told.print(_line(one), markup=False)
    for what in ("failed", "refused", "asked"):
        if counted := getattr(made.held_out, what):
            told.print(f"held-out half, {what}: {dict(counted)}", markup=False)
    return 1 if any(one.held is False for one in found) else 0


def _line(one: Tried) -> str:
    return (
        f"{'WENT THROUGH' if one.through else 'stopped'}: {one.source}: {one.aim}: {one.tool} ({one.status})"
    )


if __name__ == "__main__":
    sys.exit(main())
