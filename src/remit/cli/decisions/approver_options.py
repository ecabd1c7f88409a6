# SPDX-License-Identifier: Apache-2.0
"""`remit approvals away`, `back` and `review`: substitutes of approvers, and reviews of a broken glass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cyclopts import App

from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.parser import seconds
from remit.cli.rest_client import connect


def add_to(app: App) -> None:
    """Add these commands to `remit approvals`."""
    for name, command in (("away", away), ("back", back), ("review", review)):
        app.command(command, name=name)


def away(substitute: str | None = None, /, *, within: str = "", after: str = "") -> None:
    """Name another approver who may answer in your place while you are away; without a name, list who may.

    For example, `remit approvals away omar --within 14d` before your holiday. Omar then answers with
    `remit approve ID --for YOU`, which needs your groups, and never counts beside your own answer.

    Parameters
    ----------
    substitute
        A person with the role approver, too.
    within
        How long you are away, such as `8h` or `14d`; at most 92 days.
    after
        Begin later, such as `2d`; without it, now.
    """
    client = connect()
    if substitute is None:
        found = client.get("absences")
        if terminal.is_json():
            terminal.answer(found)
            return
        terminal.table(
            ("AWAY", "SUBSTITUTE", "FROM", "UNTIL"),
            (
                (one["person"], one["substitute"], *map(terminal.moment, (one["begins"], one["ends"])))
                for one in found["items"]
            ),
            empty="no approver is away",
        )
        return
    if not within:
        raise UsageFault("an absence has an end", remediation="add `--within 14d`, say")
    begins = datetime.now(UTC) + timedelta(seconds=seconds(after) if after else 0)
    ends = begins + timedelta(seconds=seconds(within))
    given = {"begins": begins.isoformat()} if after else {}
    made = client.post("absences", substitute=substitute, ends=ends.isoformat(), **given)
    if terminal.is_json():
        terminal.answer(made)
        return
    terminal.say(
        terminal.text(made["substitute"], "bold"), " may answer for you until ", terminal.moment(made["ends"])
    )
    terminal.say("  remit approvals back   ", terminal.text("# ends it", "dim"))


def back() -> None:
    """End your absence: your substitute may no longer answer in your place.

    For example, when you are back earlier than planned. Answers that were given stay.
    """
    ended = connect().post("absences", "end")
    if terminal.is_json():
        terminal.answer(ended)
    else:
        terminal.say(f"{ended['substitute']} no longer answers for you")


def review(id: str, /, *, comment: str) -> None:
    """Review an approval for which another person broke the glass; this resolves its finding.

    For example, `remit finding list` shows a finding `broken-glass`: read the call and the reason with
    `remit audit --task TASK`, ask what happened, and write down what you found.

    Parameters
    ----------
    id
        The approval's id, from the finding.
    comment
        What you found, for the evidence.
    """
    found = connect().post("approvals", id, "review", comment=comment)
    if terminal.is_json():
        terminal.answer(found)
    else:
        terminal.say(f"reviewed by {found['resolved_by']}: finding {found['id']} is resolved")
