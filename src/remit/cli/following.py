# SPDX-License-Identifier: Apache-2.0
"""Which replicas decide by a bundle that was just put in force, and which have other files."""

from __future__ import annotations

import time
from typing import Any, Final

from remit.cli import show
from remit.cli.client import Client
from remit.cli.enforcing import decides_by

Json = Any

#: So long the others are given to find the bundle in their files, and the pause between two looks at them.
FOLLOW_S: Final = 6.0
PAUSE_S: Final = 0.25


def followers(client: Client, digest: str) -> list[Json]:
    """Give all replicas, each with whether it `follows`, as soon as all do, or a little later. Empty where
    one process alone serves the store.
    """
    until_s = time.monotonic() + FOLLOW_S
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


def show_followers(found: list[Json]) -> None:
    """Say which replicas decide by it, and what to do about the others."""
    if not found:
        return
    others = [one for one in found if not one["follows"]]
    if not others:
        many = "the one replica decides" if len(found) == 1 else f"all {len(found)} replicas decide"
        show.say(f"{many} by it", style="green")
        return
    show.say(
        f"{len(found) - len(others)} of {len(found)} replicas decide by it; not yet:", style="bold yellow"
    )
    for one in others:
        late = ", which is late and refuses everything" if one["late"] else ""
        show.say(show.text(f"  {one['id']}", "bold"), f"  by {decides_by(one['bundle'])}{late}")
        show.say(f"    {one['host']} {one['address']}", style="dim")
    show.say(
        "Lay the same files there: they follow within seconds. `remit who` says who has.", style="yellow"
    )
