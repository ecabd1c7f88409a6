# SPDX-License-Identifier: Apache-2.0
"""`remit key`."""

from __future__ import annotations

from typing import Literal

from remit.cli.output import terminal
from remit.cli.parser import Switch, noun
from remit.cli.rest_client import connect

app = noun("key", "Remit's own keys: for tokens, the log, sealing and its trust domain.")

Kind = Literal["token", "checkpoint", "sealing", "ca", "svid"]

_STYLES = {"current": "green", "next": "cyan", "previous": "yellow", "retired": "dim"}


@app.command(name="list")
def listed() -> None:
    """List every key: what it is for, where it stands, and until when its work is accepted."""
    items = connect().get("keys")["items"]
    if terminal.is_json():
        terminal.answer({"items": items})
        return
    terminal.table(
        ("KIND", "STANDING", "KEY", "MADE", "ACCEPTED UNTIL"),
        (
            (
                one["kind"],
                terminal.text(one["standing"], _STYLES.get(one["standing"], "")),
                one["id"],
                terminal.moment(one["made"]),
                terminal.moment(one["until"]) if one["until"] else "",
            )
            for one in items
        ),
        empty="no keys",
        whole=2,
        head=2,
    )


@app.command(name="rotate")
def rotate(kind: Kind, /, *, reason: str = "", at_once: Switch = False) -> None:
    """Let another key sign from now on. What the one before it signed is accepted until that has run out.

    Parameters
    ----------
    kind
        For what the keys serve.
    reason
        Why, for the evidence.
    at_once
        The key may be in other hands: what it and the published next one signed is refused from now on.
    """
    turned = connect().post("keys", kind, "rotate", reason=reason, at_once=at_once)
    if terminal.is_json():
        terminal.answer(turned)
        return
    terminal.say(
        terminal.text("rotated", "green"),
        ": ",
        terminal.text(turned["id"], "bold"),
        f" {turned['serves']} from now on",
    )
