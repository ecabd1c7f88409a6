# SPDX-License-Identifier: Apache-2.0
"""`remit who` of nobody: which processes enforce here, how old their leases are, and by what they decide."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from remit.cli import show
from remit.cli.client import Client
from remit.cli.plain import plain
from remit.core.errors import NotFound

Json = Any

#: How the ids of replicas begin.
PREFIX = "writer_"


def show_replicas(client: Client, only: str = "") -> None:
    """Show all replicas, or one of them."""
    told = client.get("replicas")
    if only:
        told["replicas"] = [one for one in told["replicas"] if one["id"] == only]
        if not told["replicas"]:
            raise NotFound(
                f"there is no replica `{only}` now", way_out="`remit who` lists those that are there"
            )
    if show.is_json():
        show.answer(told)
        return
    if not told["replicas"]:
        show.say("one process alone serves this store: it is the one enforcement point")
        return
    made = Table.grid(padding=(0, 2, 0, 0))
    heads = ("replica", "host", "lease", "tasks", "bundle", "woken by")
    for _ in heads:
        made.add_column(overflow="fold")
    made.add_row(*(show.text(head, "dim") for head in heads))
    for one in told["replicas"]:
        made.add_row(*_row(one, told["me"]))
    show.picture(made)
    show.say("")
    show.say(show.text("bundle in force  ", "dim"), told["bundle"])
    for name in told["gone"]:
        show.say(Text.assemble(("gone  ", "red"), plain(name), (": others look after what it left", "dim")))
    waking = told["waking"]
    if waking["fault"]:
        why = f"{waking['how']} wakes nobody here: {waking['fault']}; replicas look with each renewal"
        show.say(show.text(why, "yellow"))


def _row(one: Json, me: str) -> list[Text]:
    age = "not seen yet" if one["silent_ms"] is None else f"{one['silent_ms']:.0f} ms old"
    silent = f"{age}, good for {one['lease_ms']}"
    lease = show.text(f"LATE, {silent}", "bold red") if one["late"] else show.text(silent, "green")
    tasks = str(one["tasks"]) + (" and the chores" if one["tends"] else "")
    digest = one["bundle"].removeprefix("sha256:")[:12] or "not said yet"
    bundle = (
        show.text(f"{digest}, NOT THE ONE IN FORCE", "bold red")
        if one["differs"]
        else show.text(digest, "green")
    )
    return [
        Text.assemble((plain(one["id"]), "bold"), (" answers" if one["id"] == me else "", "dim")),
        show.text(f"{one['host']} {one['address']}"),
        lease,
        show.text(tasks),
        bundle,
        show.text(one["waking"], "yellow" if one["waking"].endswith("away") else ""),
    ]
