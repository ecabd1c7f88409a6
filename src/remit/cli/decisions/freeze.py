# SPDX-License-Identifier: Apache-2.0
"""`remit freeze`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.parser import noun
from remit.cli.rest_client import connect
from remit.config.reading.units import duration_s
from remit.core.json_value import Json

app = noun("freeze", "Change freezes: for a time, nothing should change. Policies say what that means.")


@app.command(name="start")
def start(until: str, /, *, reason: str) -> int:
    """Declare a change freeze; policies read it as `context.environment.frozen` at once.

    For example, let no agent deploy over the weekend: `remit freeze start 3d --reason "quarter end"`.

    Parameters
    ----------
    until
        Its end: a duration from now (`4h`, `3d`) or a time with its zone (`2026-03-07T06:00:00+01:00`).
    reason
        The reason; it goes into the evidence.
    """
    end = _end(until).isoformat()
    found = connect().post("freezes", until=end, reason=reason)
    if terminal.is_json():
        terminal.answer(found)
        return 0
    terminal.say(
        terminal.text("FROZEN", "bold cyan"),
        " until ",
        terminal.moment(found["until"]),
        "; to end it before:",
    )
    terminal.copyable(f"  remit freeze lift {found['id']} --reason ...")
    return 0


@app.command(name="list")
def listed() -> None:
    """List the change freezes in force, the one that ends first first.

    For example, see why a deployment was refused, and until when.
    """
    found = connect().get("freezes")
    if terminal.is_json():
        terminal.answer(found)
        return
    terminal.table(
        ("FREEZE", "UNTIL", "SINCE", "BY", "REASON"),
        (
            (
                terminal.text(one["id"], "bold cyan"),
                terminal.moment(one["until"]),
                terminal.moment(one["since"]),
                one["by"],
                one["reason"],
            )
            for one in found["items"]
        ),
        empty="no change freeze is in force",
    )


@app.command(name="lift")
def lift(freeze: str, /, *, reason: str) -> int:
    """End a change freeze before its time.

    For example, the release that it protected is out.

    Parameters
    ----------
    freeze
        Its id, from `remit freeze list`.
    reason
        Why changes are safe again; it goes into the evidence.
    """
    found: dict[str, Json] = connect().post(f"freezes/{freeze}/lift", reason=reason)
    if terminal.is_json():
        terminal.answer(found)
    else:
        terminal.say("Lifted ", terminal.text(found["id"], "bold"), ".")
    return 0


def _end(text: str) -> datetime:
    """Return the end that was meant; raises `UsageFault`."""
    try:
        return datetime.now(UTC) + timedelta(seconds=duration_s(text))
    except (ValueError, OverflowError):
        pass
    try:
        end: datetime | None = datetime.fromisoformat(text)
    except ValueError:
        end = None
    if end is None or end.tzinfo is None:
        raise UsageFault(
            f"`{text[:40]}` is neither a duration nor a time with its zone",
            remediation="write `4h`, `3d`, or `2026-03-07T06:00:00+01:00`",
        )
    return end
