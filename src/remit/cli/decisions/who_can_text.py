# SPDX-License-Identifier: Apache-2.0
"""How it is shown who could call a tool."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from remit.cli.output import terminal
from remit.core.json_value import Json

_MAY: Final = {"yes": ("yes", "green"), "asks": ("asks an approver", "yellow"), "no": ("no", "red")}


def show_who(found: Json) -> int:
    """Show who could call a tool; return 1 if there is no agent that could."""
    possible = any(one["may"] != "no" for way in found["ways"] for one in way["callers"])
    if terminal.is_json():
        terminal.answer(found)
    else:
        _show(found)
    return 0 if possible else 1


def _show(found: Json) -> None:
    about = [found["effect"], found["audience"], f"tier {found['tier']}"]
    about += [] if found["described"] else ["not described, so the worst is assumed"]
    about += [f"suspended ({found['state']})"] if found["state"] != "pinned" else []
    terminal.say(terminal.text(found["tool"], "bold"), f"  {', '.join(about)}")
    if found["unjudged"]:
        terminal.say(f"The policies are not considered: {found['unjudged']}", style="yellow")
    if not found["ways"]:
        terminal.say("No task type grants it, so no agent can call it.")
        return
    for way in found["ways"]:
        _show_way(way)
    if found["others"]:
        terminal.say("")
        names = ", ".join(found["others"])
        terminal.say(f"No such task type names: {names}", style="dim")


def _show_way(way: Json) -> None:
    terminal.say("")
    terminal.say("by task type ", terminal.text(way["task_type"], "bold"), f": {way['purpose']}")
    people = ", ".join(way["people"]) or "no registered person"
    terminal.say(f"  requested by {people}", terminal.text(f"  ({', '.join(way['requested_by'])})", "dim"))
    for grant in way["grants"]:
        terms = "; ".join(f"{name} {terminal.compact(value)}" for name, value in grant.items())
        terminal.say(f"  with {terms or 'any arguments'}", style="dim")
    terminal.table(
        ("AGENT", "OWNER", "MAY", "BECAUSE"),
        (
            (
                f"{one['agent']}{'  (handed down)' if one['handed'] else ''}",
                one["owner"],
                _may(one),
                _because(one),
            )
            for one in way["callers"]
        ),
        empty="no registered agent runs it",
    )
    if way["unknown"]:
        terminal.say(f"  not registered: {', '.join(way['unknown'])}", style="dim")


def _may(one: Json) -> Text:
    return terminal.text(*_MAY[one["may"]])


def _because(one: Json) -> str:
    rules = f" ({', '.join(one['rules'])})" if one["rules"] else ""
    bound = f"{one['cut_by']}: " if one["cut_by"] else ""
    return f"{bound}{one['why']}{rules}"
