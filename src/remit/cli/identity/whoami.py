# SPDX-License-Identifier: Apache-2.0
"""`remit whoami`."""

from __future__ import annotations

import os
from pathlib import Path

from remit.cli.global_options import current
from remit.cli.output import terminal
from remit.cli.parser import verb
from remit.cli.rest_client import connect
from remit.config import state_of

app = verb("whoami")


@app.default
def whoami() -> None:
    """Show the person who is signed in here: roles, way of signing in, until when; and the keys of agents.

    `remit who NAME` shows what is known of another person. For example, see before an approval which person
    you act as.
    """
    client = connect()
    me = client.get("me")
    session = next((one for one in client.get("sessions")["items"] if one["current"]), None)
    told = {
        "url": client.base_url,
        "person": me["name"],
        "roles": me["roles"],
        "groups": me["groups"],
        "method": session["method"] if session else None,
        "signed_in": session["created"] if session else None,
        "expires": session["expires"] if session else None,
        "from": "REMIT_SESSION" if os.environ.get("REMIT_SESSION") and not current().profile else "login",
        "agent_keys": [{"agent": _agent(place), "file": str(place)} for place in _keys()],
    }
    if terminal.is_json():
        terminal.answer(told)
        return
    terminal.say(terminal.text(told["person"], "bold"), f" at {client.base_url}")
    rows: list[tuple[str, object]] = [
        ("roles", ", ".join(told["roles"]) or "none: only what is this person's own"),
        ("groups", ", ".join(told["groups"])),
    ]
    if session:
        rows += [
            ("signed in by", session["method"]),
            ("since", terminal.moment(session["created"])),
            ("until", terminal.moment(session["expires"])),
        ]
    if told["from"] == "REMIT_SESSION":
        rows.append(("session from", "the variable REMIT_SESSION"))
    rows += [("agent key", f"{one['agent']}  {one['file']}") for one in told["agent_keys"]]
    terminal.picture(terminal.facts(rows))


def _keys() -> list[Path]:
    """Return the keys of agents beside the configuration, where `remit run` looks for them."""
    return sorted((state_of(current().config_file.parent) / "agents").glob("*.key.json"))


def _agent(place: Path) -> str:
    return place.name.removesuffix(".key.json")
