# SPDX-License-Identifier: Apache-2.0
"""`remit lease`."""

from __future__ import annotations

from remit.cli.output import terminal
from remit.cli.parser import noun
from remit.cli.rest_client import connect

app = noun("lease", "Upstream credentials that are being revoked and may still work.")


@app.command(name="list")
def listed() -> None:
    """List the credentials that are being taken back, oldest first; of several replicas, by this one."""
    found = connect().get("leases")
    if terminal.is_json():
        terminal.answer(found)
        return
    terminal.table(
        ("LEASE", "TASK", "KIND", "OPEN AT", "FOR", "WHY"),
        (
            (
                one["lease"],
                one["task"],
                one["kind"],
                one["sink"],
                terminal.text(f"{one['age_s']:.0f} s", "yellow"),
                one["why"] or "not tried yet",
            )
            for one in found["items"]
        ),
        empty="all credentials are revoked",
    )


@app.command(name="close")
def close(lease: str, because: str, /) -> None:
    """Close a credential by hand, once nobody else can say whether it is dead: its machine is gone, or its
    source. It is tried once more first, and stays open where its sink accepts it.

    Parameters
    ----------
    lease
        The lease's id: see `remit lease list`.
    because
        Why it counts as dead; it goes into the closure and into the evidence.
    """
    closed = connect().post("leases", lease, "close", because=because)
    if terminal.is_json():
        terminal.answer(closed)
        return
    terminal.say(terminal.text(closed["name"], "bold"), f": {closed['detail']}")
