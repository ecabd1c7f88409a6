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
    """List every key: its purpose, its stage, and until when its signatures are accepted.

    For example, check after a rotation until when the previous key is still accepted.
    """
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
    """Start to sign with another key; signatures of the previous key stay valid until they expire.

    For example, rotate with `--at-once` after a backup with the keys was stolen: remit then refuses every
    token that the thief could sign.

    Parameters
    ----------
    kind
        The purpose of the keys.
    reason
        The reason, for the evidence.
    at_once
        The key may be compromised: refuse from now on what it and the published next key signed.
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
