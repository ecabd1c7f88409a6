# SPDX-License-Identifier: Apache-2.0
"""`remit approvals`, `remit approve` and `remit deny`."""

from __future__ import annotations

import sys
from typing import Literal

import msgspec
from rich.panel import Panel
from rich.text import Text

from remit.cli.decisions.confirmation import confirmed
from remit.cli.output import terminal
from remit.cli.parser import Switch, verb
from remit.cli.rest_client import Client, connect
from remit.cli.safe_text import escaped, plain
from remit.core.json_value import Json

Wanted = Literal["pending", "approved", "denied", "expired", "consumed", "all"]

app = verb("approve")
deny_app = verb("deny")
approvals_app = verb("approvals")


@approvals_app.default
def approvals(*, watch: Switch = False, state: Wanted = "pending", task: str | None = None) -> None:
    """List calls that wait for a person's approval.

    Approvers and auditors see all of them; others see those of their own tasks. For example, keep
    `remit approvals --watch` open while an agent deploys, so that its request does not expire unseen.

    Parameters
    ----------
    watch
        Keep running, and show each approval that is new or changed; with `--json` one object per line.
    state
        List only approvals in this state, or `all`.
    task
        List only the approvals of this task.
    """
    client = connect()
    if watch:
        _watch(client)
        return
    found = client.get("approvals", state=None if state == "all" else state, task=task)
    if terminal.is_json():
        terminal.answer(found)
        return
    terminal.table(
        ("APPROVAL", "STATE", "TOOL", "AGENT", "FOR", "ASKED", "UNTIL"),
        (_row(one) for one in found["items"]),
        empty="no pending approvals" if state == "pending" else "none",
    )


def _row(one: Json) -> tuple[object, ...]:
    return (
        one["id"],
        terminal.state(one["state"]),
        one["tool"],
        one["agent"],
        one["requested_for"],
        terminal.moment(one["requested"]),
        _until(one),
    )


def _until(one: Json) -> Text:
    """Return until when an approval is open or usable, or when it expired; empty once used or refused."""
    return terminal.moment("" if one["state"] in ("denied", "consumed") else one["expires"])


def _watch(client: Client) -> None:
    terminal.remark("watching for approvals; stop with Ctrl-C")
    with client.stream("approvals", "watch", endless=True) as response:
        for line in response.iter_lines():
            if not line.startswith("data: "):
                continue
            one = msgspec.json.decode(line.removeprefix("data: "))
            if terminal.is_json():
                sys.stdout.write(escaped(msgspec.json.encode(one).decode()) + "\n")
                sys.stdout.flush()
            elif one["state"] == "pending":
                terminal.say(
                    terminal.moment(one["requested"]),
                    "  ",
                    terminal.text(one["id"], "bold"),
                    "  ",
                    one["tool"],
                )
                terminal.say(f"  {one['agent']} for {one['requested_for']}: {'; '.join(one['reasons'])}")
                terminal.copyable(f"  remit approve {one['id']}", style="dim")
            else:
                by = f" by {one['decided_by']}" if one["decided_by"] else ""
                terminal.say(terminal.text(one["id"], "dim"), "  ", terminal.state(one["state"]), by)


@app.default
def approve(id: str, /, *, comment: str = "", confirm: str = "") -> int:
    """Permit one exact call, once, before its approval expires. Shows the call first and asks you.

    For example, an agent wants to mail a contract to the other party: read the recipient and the text here,
    then permit exactly that mail. Any other call needs its own approval.

    Parameters
    ----------
    id
        The approval's id, from `remit approvals`.
    comment
        A comment for the evidence.
    confirm
        The call's digest, which confirms that you looked at this exact call; needed without a terminal.
    """
    return _answer(id, approve=True, comment=comment, given=confirm)


@deny_app.default
def deny(id: str, /, *, comment: str = "", confirm: str = "") -> int:
    """Refuse one exact call. Shows the call first and asks you.

    For example, refuse a payment to an account that you do not know, and give the reason in `--comment`.

    Parameters
    ----------
    id
        The approval's id, from `remit approvals`.
    comment
        A comment for the evidence.
    confirm
        The call's digest, which confirms that you looked at this exact call; needed without a terminal.
    """
    return _answer(id, approve=False, comment=comment, given=confirm)


def _answer(approval: str, *, approve: bool, comment: str, given: str) -> int:
    client = connect()
    asked = client.get("approvals", approval)
    if not terminal.is_json():
        _show(asked)
    question = "Approve exactly this call, once?" if approve else "Refuse this call?"
    if asked["state"] == "pending" and not confirmed(question, asked["call"], given):
        terminal.remark("the approval is still pending")
        return 1
    done = client.post("approvals", approval, approve=approve, comment=comment)
    if terminal.is_json():
        terminal.answer(done)
        return 0
    until: list[str | Text] = [", valid once, until ", terminal.moment(done["expires"])] if approve else []
    terminal.say(terminal.state(done["state"]), f" by {done['decided_by']}", *until)
    return 0


def _show(asked: Json) -> None:
    """Show the exact call: write hidden characters of an argument visibly, and cut nothing off."""
    grid = terminal.facts(
        [
            ("call", terminal.text(asked["tool"], "bold")),
            *(
                (f"  {name}", plain(_argument(value), lines=True))
                for name, value in asked["arguments"].items()
            ),
            ("by", f"{asked['agent']} for {asked['requested_for'] or 'itself'}, in {asked['task']}"),
            *(("because", reason) for reason in asked["reasons"]),
            ("waives", ", ".join(f"{rule}" for rule, _ in asked["rules"])),
            ("asked", terminal.moment(asked["requested"])),
            ("expired" if asked["state"] == "expired" else "until", _until(asked)),
            ("state", terminal.state(asked["state"])),
            ("digest", asked["call"]),
        ],
        lines=True,
    )
    terminal.picture(
        Panel(
            grid,
            title=terminal.text(asked["id"], "bold"),
            title_align="left",
            border_style="yellow",
            expand=False,
        )
    )


def _argument(value: Json) -> str:
    return value if isinstance(value, str) else terminal.compact(value)
