# SPDX-License-Identifier: Apache-2.0
"""`remit tool`."""

from __future__ import annotations

from typing import Any

from remit.cli import show
from remit.cli.client import connect
from remit.cli.parser import noun
from remit.cli.presence import looked

Json = Any

app = noun("tool", "Tools: what each one does, and what changed since it was reviewed.")


@app.command(name="list")
def tools(*, upstream: str = "") -> None:
    """List registered tools. A tool whose state is not `pinned` is refused until it is reviewed.

    Parameters
    ----------
    upstream
        Only this upstream's.
    """
    found = connect().get("tools")
    items = [one for one in found["items"] if upstream in ("", one["upstream"])]
    if show.is_json():
        show.answer({"items": items})
        return
    show.table(
        ("TOOL", "STATE", "TIER", "EFFECT", "LEARNED BY", "RESULTS CARRY", "MODE"),
        (
            (
                one["tool"],
                show.state(one["state"]),
                one["tier"],
                one["effect"]
                if one["described"]
                else show.text(f"{one['effect']} (not described)", "yellow"),
                one["audience"],
                show.label(one["label"]),
                show.state("observe") if one["observed"] else "enforce",
            )
            for one in items
        ),
        empty="no tools; is an upstream reachable?",
    )


@app.command(name="diff")
def diff(tool: str, /) -> int:
    """Show how what an upstream offers now differs from what was accepted; exits 1 if it does.

    Parameters
    ----------
    tool
        The tool, as `upstream/name`.
    """
    found = connect().get("tools", tool, "diff")
    if show.is_json():
        show.answer(found)
    else:
        _lines(found)
    return 1 if found["changed"] else 0


@app.command(name="accept")
def accept(tool: str, /, *, digest: str = "") -> int:
    """Accept what an upstream offers now. The difference is shown first, and you are asked.

    Parameters
    ----------
    tool
        The tool, as `upstream/name`.
    digest
        The digest of what was looked at, where there is no terminal to be asked on.
    """
    client = connect()
    found = client.get("tools", tool, "diff")
    if not show.is_json():
        _lines(found)
    if not looked("Accept this?", found["offered_digest"], digest, option="--digest"):
        show.remark("nothing was accepted")
        return 1
    accepted = client.post("tools", tool, "accept", digest=found["offered_digest"])
    if show.is_json():
        show.answer(accepted)
    else:
        show.say("Accepted ", show.text(accepted["tool"], "bold"), "  ", show.state(accepted["state"]))
    return 0


def _lines(found: Json) -> None:
    if not found["changed"]:
        show.say(found["tool"], show.text(" is as it was accepted", "green"))
        return
    show.say(show.text(found["tool"], "bold"), " has changed since it was accepted:")
    for line in found["lines"]:
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "dim")
        show.say(show.text(line, style))
    show.picture(show.facts([("accepted", found["accepted_digest"]), ("offered", found["offered_digest"])]))
