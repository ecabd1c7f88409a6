# SPDX-License-Identifier: Apache-2.0
"""`remit approvals`, `remit approve` and `remit deny`."""

from __future__ import annotations

import sys
from typing import Literal

import msgspec
from rich.panel import Panel
from rich.text import Text

from remit.cli.decisions.confirmation import looked
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
    """List what waits for a human; approvers and auditors see all, others what is of their tasks.

    Parameters
    ----------
    watch
        Stay, and show each new or changed one; with `--json` one object per line.
    state
        Those in this state, or `all`.
    task
        Only this task's.
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
    """Say until when it may be answered or used, or when it expired; of what was used or refused nothing."""
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
def approve(id: str, /, *, comment: str = "", yes_i_looked: str = "") -> int:
    """Let one exact call happen, once, within its time. It is shown first, and you are asked.

    Parameters
    ----------
    id
        The approval's id.
    comment
        A word for the evidence.
    yes_i_looked
        The call's digest, where there is no terminal to be asked on: this very call was looked at.
    """
    return _answer(id, approve=True, comment=comment, given=yes_i_looked)


@deny_app.default
def deny(id: str, /, *, comment: str = "", yes_i_looked: str = "") -> int:
    """Refuse one exact call. It is shown first, and you are asked.

    Parameters
    ----------
    id
        The approval's id.
    comment
        A word for the evidence.
    yes_i_looked
        The call's digest, where there is no terminal to be asked on.
    """
    return _answer(id, approve=False, comment=comment, given=yes_i_looked)


def _answer(approval: str, *, approve: bool, comment: str, given: str) -> int:
    client = connect()
    asked = client.get("approvals", approval)
    if not terminal.is_json():
        _show(asked)
    question = "Approve exactly this call, once?" if approve else "Refuse this call?"
    if asked["state"] == "pending" and not looked(question, asked["call"], given, option="--yes-i-looked"):
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
    """Show the exact call: what hides itself in an argument is written out, and nothing is cut off."""
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
