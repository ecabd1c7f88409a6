# SPDX-License-Identifier: Apache-2.0
"""`remit who` without an argument: which replicas enforce, how old their leases are, and their bundles."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from remit.cli.output import terminal
from remit.cli.rest_client import Client
from remit.core.errors import NotFound
from remit.core.json_value import Json
from remit.core.safe_text import plain

#: The prefix of replica ids.
PREFIX = "writer_"


def show_replicas(client: Client, only: str = "") -> None:
    """Show all replicas, or a single one."""
    told = client.get("replicas")
    if only:
        told["replicas"] = [one for one in told["replicas"] if one["id"] == only]
        if not told["replicas"]:
            raise NotFound(
                f"replica `{only}` is not running", remediation="`remit who` lists the running replicas"
            )
    if terminal.is_json():
        terminal.answer(told)
        return
    if not told["replicas"]:
        terminal.say("one process serves this store: the only enforcement point")
        return
    for line in _lines(told):
        terminal.picture(line)
    terminal.say("")
    terminal.copyable(terminal.text("policy bundle in force  ", "dim"), told["bundle"])
    for name in told["gone"]:
        terminal.say(
            Text.assemble(("gone  ", "red"), plain(name), (": other replicas take over its tasks", "dim"))
        )


def decides_by(digest: str) -> str:
    """Return a bundle's digest, short enough to read and long enough to distinguish it."""
    return digest.removeprefix("sha256:")[:12] or "not reported yet"


def _lines(told: Json) -> Iterator[Text]:
    """Yield the facts in columns for a narrow screen, and below each replica the rest in words."""
    heads = [terminal.text(one, "dim") for one in ("REPLICA", "LEASE AGE", "TASKS", "POLICY BUNDLE")]
    rows = [heads, *(_row(one) for one in told["replicas"])]
    wide = [max(one.cell_len for one in column) for column in zip(*rows, strict=True)]
    for row, one in zip(rows, (None, *told["replicas"]), strict=True):
        for cell, width in zip(row, wide, strict=True):
            cell.pad_right(width - cell.cell_len + 2)
        line = Text.assemble(*row)
        line.rstrip()
        yield line
        if one is not None:
            yield from _words(one, told["me"])


def _row(one: Json) -> list[Text]:
    age = "not seen yet" if one["silent_ms"] is None else f"{one['silent_ms']:.0f} of {one['lease_ms']} ms"
    return [
        terminal.text(one["id"], "bold"),
        terminal.text("LATE", "bold red") if one["late"] else terminal.text(age, "green"),
        terminal.text(one["tasks"]),
        terminal.text(decides_by(one["bundle"]), "bold red" if one["differs"] else "green"),
    ]


def _words(one: Json, me: str) -> Iterator[Text]:
    parts = [f"{one['host']} {one['address']}"]
    if one["id"] == me:
        parts.append("this one answers")
    if one["tends"]:
        parts.append("runs maintenance for all")
    yield terminal.text(f"  {', '.join(parts)}", "dim")
    if one["late"]:
        silent = "" if one["silent_ms"] is None else f", silent for {one['silent_ms']:.0f} ms"
        yield terminal.text(f"  LATE: its lease of {one['lease_ms']} ms is over{silent}", "bold red")
    if one["differs"]:
        yield terminal.text("  its policy bundle is NOT THE ONE IN FORCE", "bold red")
