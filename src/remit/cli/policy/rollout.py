# SPDX-License-Identifier: Apache-2.0
"""Which replicas decide by a bundle that was just put in force, and which have other files."""

from __future__ import annotations

import time
from typing import Final

from remit.cli.output import terminal
from remit.cli.output.replica_status import decides_by
from remit.cli.rest_client import Client
from remit.core.errors import VerificationFailed
from remit.core.json_value import Json

#: Default time for other replicas to find the bundle in their files, and the pause between two checks.
FOLLOW_S: Final = 10
PAUSE_S: Final = 0.25


def followers(client: Client, digest: str, wait_s: float = FOLLOW_S) -> list[Json]:
    """Return all replicas, each with whether it `follows`, as soon as all do, or after `wait_s`.

    Empty if a single process serves the store.
    """
    until_s = time.monotonic() + wait_s
    while True:
        found = client.get("replicas")["replicas"]
        # The digest comes from the answer to the apply: a replica may have checked its files before that.
        told = [_told(one, digest) for one in found]
        if all(one["follows"] for one in told) or time.monotonic() >= until_s:
            return told
        time.sleep(PAUSE_S)


def _told(one: Json, digest: str) -> Json:
    known = {name: one[name] for name in ("id", "host", "address", "bundle", "late")}
    return known | {"follows": one["bundle"] == digest}


def show_followers(found: list[Json], since: str | None) -> None:
    """Show which replicas decide by the bundle, and the latest time since when all do."""
    if not found:
        return
    others = _others(found)
    if not others:
        many = "the one replica decides" if len(found) == 1 else f"all {len(found)} replicas decide"
        terminal.say(f"{many} by it, at the latest since {since}", style="green")
        return
    terminal.say(
        f"{len(found) - len(others)} of {len(found)} replicas decide by it; not yet:", style="bold yellow"
    )
    for one in others:
        late = ", which is late and refuses everything" if one["late"] else ""
        terminal.say(terminal.text(f"  {one['id']}", "bold"), f"  by {decides_by(one['bundle'])}{late}")
        terminal.say(f"    {one['host']} {one['address']}", style="dim")
    terminal.say(
        "Calls of tasks that these replicas own are decided by their bundle, whichever replica receives the "
        "call."
    )


def held_back(found: list[Json]) -> VerificationFailed | None:
    """Return a fault with its remediation if not every replica decides by the bundle, else None.

    The bundle stays in force: the fault concerns what the command observed afterwards.
    """
    others = _others(found)
    if not others:
        return None
    return VerificationFailed(
        f"in force, but {len(others)} of {len(found)} replicas decide by another policy bundle",
        code="replicas-differ",
        remediation="deploy the same files there, wait a few seconds and run `remit policy apply` "
        "again; `remit who` shows the bundle of each",
    )


def _others(found: list[Json]) -> list[Json]:
    return [one for one in found if not one["follows"]]
