# SPDX-License-Identifier: Apache-2.0
"""`remit finding`."""

from __future__ import annotations

from rich.text import Text

from remit.cli.output import output as show
from remit.cli.parser import Switch, noun
from remit.cli.rest_client import connect
from remit.core.json_value import Json

app = noun("finding", "Findings: what was seen that nobody has accounted for.")


@app.command(name="list")
def listed(*, about: str | None = None, resolved: Switch = False) -> None:
    """List open findings, the one seen last first; without a role, those about your own agents.

    Parameters
    ----------
    about
        Only those about this, as `agent:name`.
    resolved
        Those that were dealt with, instead.
    """
    found = connect().get("findings", about=about, state="resolved" if resolved else "open")
    if show.is_json():
        show.answer(found)
        return
    show.table(
        ("FINDING", "KIND", "ABOUT", "SEEN", "LAST"),
        (
            (
                one["id"],
                show.text(one["kind"], "yellow" if one["state"] == "open" else "dim"),
                one["about"],
                str(one["count"]),
                show.moment(one["last_seen"]),
            )
            for one in found["items"]
        ),
        empty="no findings",
    )
    if found["items"]:
        show.say("`remit finding show FINDING` says what was seen, and what to do about it", style="dim")


@app.command(name="show")
def shown(finding: str, /) -> None:
    """Show a finding: what was seen, and what to do about it.

    Parameters
    ----------
    finding
        The finding's id.
    """
    _one(connect().get("findings", finding))


@app.command(name="resolve")
def resolve(finding: str, resolution: str, /) -> None:
    """Mark a finding as dealt with. Seen again, it opens again.

    Parameters
    ----------
    finding
        The finding's id.
    resolution
        How it was dealt with; it goes into the evidence.
    """
    _one(connect().post("findings", finding, "resolve", resolution=resolution))


def _one(finding: Json) -> None:
    if show.is_json():
        show.answer(finding)
        return
    pairs = [
        ("finding", show.text(finding["id"], "bold")),
        ("kind", show.text(finding["kind"], "yellow")),
        ("about", finding["about"]),
        ("says", finding["says"]),
        *((name, _plainly(name, value)) for name, value in finding["facts"].items()),
        ("first seen", show.moment(finding["first_seen"])),
        ("last seen", show.moment(finding["last_seen"])),
        ("times", str(finding["count"])),
        ("what to do", finding["remediation"] if finding["state"] == "open" else ""),
        ("resolved", show.moment(finding["resolved"])),
        ("by", finding["resolved_by"]),
        ("how", finding["resolution"]),
    ]
    show.picture(show.facts(pairs))


def _plainly(name: str, value: Json) -> Text | str:
    """Return a fact as people read it: a list of words without its brackets, a time by the clock here."""
    if name == "since" and isinstance(value, str):
        return show.moment(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return value if isinstance(value, str) else show.compact(value)
