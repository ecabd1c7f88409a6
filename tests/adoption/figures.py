# SPDX-License-Identifier: Apache-2.0
"""What the walk came to, beside the goals."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from tests.adoption.walk import Tried, Walked
from tests.adversary.figures import machine
from tests.samples.assistant_sessions import many

Json = Any
#: Coding sessions in the form of transcripts, which `remit hindsight` replays with the person's words.
TRANSCRIPTS = 50


class AdoptionFigure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure, and what it should be at most; without a goal it is only told."""

    what: str
    value: float
    unit: str = ""
    at_most: float | None = None
    how: str = ""

    @property
    def held(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        return None if self.at_most is None else self.value <= self.at_most


def questions_of_transcripts(folder: Path) -> tuple[int, int]:
    """Return the calls of recorded coding sessions, and how many of them remit asks about."""
    many(folder, sessions=TRANSCRIPTS)
    env = {**os.environ, "HOME": str(folder)}
    command = [sys.executable, "-m", "remit", "hindsight", str(folder), "--json"]
    told = json.loads(subprocess.run(command, env=env, capture_output=True, check=True, timeout=600).stdout)
    stopped = told["decisions"]["stopped"]
    return told["did"]["calls"], told["decisions"]["asked"] + stopped


def figures_of(made: Walked) -> list[AdoptionFigure]:
    """Return the figures of a walk, in its order."""
    with tempfile.TemporaryDirectory(prefix="remit-adoption-") as kept:
        calls, asked = questions_of_transcripts(Path(kept))
    tried, held_out, first = made.attacks, made.held_out, made.read_first
    inside = made.inside_vouched
    return [
        AdoptionFigure(
            what="commands until four public servers are observed",
            value=len(made.to_observed), at_most=3,
            how=_words(made.to_observed),
        ),
        AdoptionFigure(
            what="seconds until then, without downloads", value=made.observed_s, unit="s", at_most=60,
            how="wrapping, the first start of remit, four servers and their lists of tools",
        ),
        AdoptionFigure(
            what="commands to sign in and look", value=len(made.to_seen), how=_words(made.to_seen)
        ),
        AdoptionFigure(
            what="commands from there until enforced", value=len(made.to_enforced), at_most=3,
            how=f"{_words(made.to_enforced)}; `mode: enforce` is written at {made.edits} servers",
        ),
        AdoptionFigure(
            what="ordinary calls refused, of the held-out half",
            value=held_out.refused.total(), at_most=0,
            how=f"of {held_out.calls} calls, after {made.learnt.calls} observed{_which(held_out.refused)}",
        ),
        AdoptionFigure(
            what="questions for each 100 of them", value=held_out.per_100, at_most=5,
            how=f"{held_out.asked.total()} questions{_which(held_out.asked)}",
        ),
        AdoptionFigure(
            what="questions for each 100 calls of recorded coding sessions",
            value=100 * asked / calls, at_most=5,
            how=f"{asked} of {calls:,} calls in {TRANSCRIPTS} transcripts, replayed by `remit hindsight`",
        ),
        AdoptionFigure(
            what="planted attacks that went through", value=sum(one.through for one in tried), at_most=0,
            how=f"of {len(tried)}; {sum(one.status == 'waiting' for one in tried)} of them were asked about",
        ),
        AdoptionFigure(
            what="memory of a session beside a relay for each server", value=made.shared_mb / made.apart_mb,
            at_most=1, how=f"{made.shared_mb:.0f} MB, not {made.apart_mb:.0f} MB, for four servers (PSS)",
        ),
        AdoptionFigure(
            what="questions for each 100 calls, if a session reads the web and then writes",
            value=first.per_100,
            how=f"of {first.calls} calls{_which(first.asked)}; refused {first.refused.total()}"
            + _which(first.refused),
        ),
        AdoptionFigure(
            what="calls within the grants that passed at the word of a file of a vouched-for server",
            value=sum(one.through for one in inside), how=f"of {len(inside)}",
        ),
    ]  # fmt: skip


def _words(typed: list[str]) -> str:
    """Return the commands without their options, but for `--apply`."""
    shown = (" ".join(one.split(" --")[0].split()[:3]) for one in typed)
    applied = (" --apply" if " --apply" in one else "" for one in typed)
    return ", ".join(f"`{one}{more}`" for one, more in zip(shown, applied, strict=True))


def _which(counted: Counter[str]) -> str:
    found = ", ".join(f"{count} of `{tool}`" for tool, count in counted.most_common())
    return f": {found}" if found else ""


def facts(found: list[AdoptionFigure], made: Walked, load: float) -> Json:
    """Return all of it as JSON."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "load_at_start": round(load, 2),
        "figures": [{**msgspec.to_builtins(one), "held": one.held} for one in found],
        "attacks": [
            {"source": source, "aim": aim, "tried": count, "went_through": through, "asked": asked}
            for (source, aim), (count, through, asked) in _families(made.attacks).items()
        ],
    }


def _families(tried: list[Tried]) -> dict[tuple[str, str], tuple[int, int, int]]:
    found: dict[tuple[str, str], tuple[int, int, int]] = {}
    for one in tried:
        count, through, asked = found.get((one.source, one.aim), (0, 0, 0))
        key = (one.source, one.aim)
        found[key] = (count + 1, through + one.through, asked + (one.status == "waiting"))
    return found


def show(console: Console, found: list[AdoptionFigure]) -> None:
    """Print the figures as a table."""
    table = Table("figure", title="adoption", title_justify="left")
    table.add_column("value", justify="right")
    table.add_column("goal")
    table.add_column("held")
    table.add_column("how", style="dim")
    for one in found:
        held = {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[one.held]
        goal = "" if one.at_most is None else f"<= {one.at_most:g}"
        table.add_row(one.what, f"{one.value:.3g} {one.unit}".strip(), goal, held, one.how.replace("`", ""))
    console.print(table)
