# SPDX-License-Identifier: Apache-2.0
"""`remit lease`."""

from __future__ import annotations

from remit.cli.output import terminal
from remit.cli.parser import noun
from remit.cli.rest_client import connect

app = noun("lease", "Upstream credentials that are being revoked and may still work.")


@app.command(name="list")
def listed() -> None:
    """List the credentials that remit is revoking, oldest first; of several replicas, those of this one.

    For example, after `remit end`, see which credential its upstream still accepts, and for how long already.
    """
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
    """Close a credential by hand when no system can confirm any longer that it is dead.

    For example, the machine or the source that issued the credential is gone. Remit tries the credential
    once more first; if its sink still accepts it, it stays open.

    Parameters
    ----------
    lease
        The lease's id, from `remit lease list`.
    because
        Why the credential counts as dead; it goes into the closure and into the evidence.
    """
    closed = connect().post("leases", lease, "close", because=because)
    if terminal.is_json():
        terminal.answer(closed)
        return
    terminal.say(terminal.text(closed["name"], "bold"), f": {closed['detail']}")
