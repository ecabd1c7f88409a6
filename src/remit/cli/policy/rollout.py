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

#: So long the others are given to find the bundle in their files, unless somebody says otherwise, and the
#: pause between two looks at them.
FOLLOW_S: Final = 10
PAUSE_S: Final = 0.25


def followers(client: Client, digest: str, wait_s: float = FOLLOW_S) -> list[Json]:
    """Return all replicas, each with whether it `follows`, as soon as all do, or after `wait_s`. Empty where
    one process alone serves the store.
    """
    until_s = time.monotonic() + wait_s
    while True:
        found = client.get("replicas")["replicas"]
        # What was applied is known from the answer: whoever is asked may have looked before it.
        told = [_told(one, digest) for one in found]
        if all(one["follows"] for one in told) or time.monotonic() >= until_s:
            return told
        time.sleep(PAUSE_S)


def _told(one: Json, digest: str) -> Json:
    known = {name: one[name] for name in ("id", "host", "address", "bundle", "late")}
    return known | {"follows": one["bundle"] == digest}


def show_followers(found: list[Json], since: str | None) -> None:
    """Say which replicas decide by it, and since when all do, at the latest."""
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
    """Return what is wrong where not every replica decides by it, with the remediation; nothing where all do.

    What was put in force stays in force: it is what the command saw of it afterwards that did not hold.
    """
    others = _others(found)
    if not others:
        return None
    return VerificationFailed(
        f"in force, but {len(others)} of {len(found)} replicas decide by another bundle",
        code="replicas-differ",
        remediation="deploy the same files there, wait a few seconds and run `remit policy apply` "
        "again; `remit who` shows the bundle of each",
    )


def _others(found: list[Json]) -> list[Json]:
    return [one for one in found if not one["follows"]]
