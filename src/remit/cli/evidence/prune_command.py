# SPDX-License-Identifier: Apache-2.0
"""`remit audit prune`."""

from __future__ import annotations

from remit.cli.evidence.time_bounds import time_of
from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.parser import Switch
from remit.cli.rest_client import connect


def prune(*, before: str, reason: str = "", without_export: Switch = False, confirm: str = "") -> int:
    """Remove the text and the values of old events; their hashes stay, and every proof still holds.

    This cannot be undone. A signed event says which events were pruned, when, by whom and why, and `remit
    audit verify` shows it. Events of the last 30 days stay, and of `evidence.retention.keep`, as do those of
    open tasks, and those that open findings name.

    Parameters
    ----------
    before
        Prune events from before this time, such as `400d` or `2027-01-01`.
    reason
        The reason, for the evidence.
    without_export
        Prune also what no export has taken.
    confirm
        The time again, as confirmation; needed without a terminal.
    """
    from remit.cli.decisions.confirmation import confirmed

    at = time_of(before, "--before")
    if at is None:
        raise UsageFault("`--before` is empty", remediation="give a time, such as `400d`")
    if not confirmed(f"Remove the events from before {at:%Y-%m-%d %H:%M} permanently?", before, confirm):
        terminal.say("nothing was pruned")
        return 1
    told = connect().post(
        "events", "prune", before=at.isoformat(), reason=reason, without_export=without_export
    )
    if terminal.is_json():
        terminal.answer(told)
        return 0
    terminal.say(
        terminal.text("pruned", "green"),
        f": {terminal.counted(told['pruned'], 'event')} from before {told['before']}",
    )
    if told["held"]:
        held = terminal.counted(told["held"], "event")
        terminal.remark(f"{held} of that age stay: of open tasks and findings, or about the log itself")
    terminal.remark(told["ended"])
    return 0
