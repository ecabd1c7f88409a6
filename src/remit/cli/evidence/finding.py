# SPDX-License-Identifier: Apache-2.0
"""`remit finding`."""

from __future__ import annotations

from rich.text import Text

from remit.cli.output import terminal
from remit.cli.parser import Switch, noun
from remit.cli.rest_client import connect
from remit.core.json_value import Json

app = noun("finding", "Findings: observations that need an explanation.")


@app.command(name="list")
def listed(*, about: str | None = None, resolved: Switch = False) -> None:
    """List open findings, latest first; without a role, those about your own agents.

    For example, see whether an agent's key is in use in two places, which means that a copy of it exists.

    Parameters
    ----------
    about
        List only findings about this, as `agent:name`.
    resolved
        List the findings that were resolved instead.
    """
    found = connect().get("findings", about=about, state="resolved" if resolved else "open")
    if terminal.is_json():
        terminal.answer(found)
        return
    terminal.table(
        ("FINDING", "KIND", "ABOUT", "SEEN", "LAST"),
        (
            (
                one["id"],
                terminal.text(one["kind"], "yellow" if one["state"] == "open" else "dim"),
                one["about"],
                str(one["count"]),
                terminal.moment(one["last_seen"]),
            )
            for one in found["items"]
        ),
        empty="no findings",
    )
    if found["items"]:
        terminal.say("`remit finding show FINDING` shows what was seen and what to do", style="dim")


@app.command(name="show")
def shown(finding: str, /) -> None:
    """Show a finding: what was observed, and how to deal with it.

    For example, read what happened before you decide between `remit finding resolve` and `remit lock`.

    Parameters
    ----------
    finding
        The finding's id, from `remit finding list`.
    """
    _one(connect().get("findings", finding))


@app.command(name="resolve")
def resolve(finding: str, resolution: str, /) -> None:
    """Mark a finding as resolved. If it is observed again, it opens again.

    For example, resolve the finding about a changed manifest once you have reviewed the change and registered
    the new digest.

    Parameters
    ----------
    finding
        The finding's id, from `remit finding list`.
    resolution
        How it was resolved; it goes into the evidence.
    """
    _one(connect().post("findings", finding, "resolve", resolution=resolution))


def _one(finding: Json) -> None:
    if terminal.is_json():
        terminal.answer(finding)
        return
    pairs = [
        ("finding", terminal.text(finding["id"], "bold")),
        ("kind", terminal.text(finding["kind"], "yellow")),
        ("about", finding["about"]),
        ("says", finding["says"]),
        *((name, _plainly(name, value)) for name, value in finding["facts"].items()),
        ("first seen", terminal.moment(finding["first_seen"])),
        ("last seen", terminal.moment(finding["last_seen"])),
        ("times", str(finding["count"])),
        ("what to do", finding["remediation"] if finding["state"] == "open" else ""),
        ("resolved", terminal.moment(finding["resolved"])),
        ("by", finding["resolved_by"]),
        ("how", finding["resolution"]),
    ]
    terminal.picture(terminal.facts(pairs))


def _plainly(name: str, value: Json) -> Text | str:
    """Return a fact in readable form: a list of words without brackets, a time in the local time zone."""
    if name == "since" and isinstance(value, str):
        return terminal.moment(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return value if isinstance(value, str) else terminal.compact(value)
