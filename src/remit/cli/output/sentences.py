# SPDX-License-Identifier: Apache-2.0
"""A task's authority in sentences, on a terminal."""

from __future__ import annotations

from typing import Final

from remit.cli.output import terminal
from remit.core.json_value import Json

#: The order in which kinds of sentences are shown, with the heading of each group.
_GROUPS: Final = (
    ("What it may do", ("who", "may")),
    ("Within these limits", ("limit", "never")),
    ("Until", ("end",)),
    ("What was cut, and by which bound", ("cut",)),
)


_CEILINGS: Final = ("agent", "owner", "person")


def _bound(one: Json) -> str:
    """Return the bound of a cut in words; a tool is taken by a ceiling, a value is fixed by its author."""
    ceiling = one["tool"] and one["bound"] in _CEILINGS
    return f"{one['bound']}'s ceiling" if ceiling else str(one["bound"])


def show_sentences(sentences: Json) -> None:
    """Print the sentences, in groups."""
    for heading, kinds in _GROUPS:
        found = [one for one in sentences if one["kind"] in kinds]
        if found:
            terminal.say("")
            terminal.say(heading, style="bold")
        for one in found:
            bound = f"  [{_bound(one)}]" if one["bound"] else ""
            terminal.say(f"  {one['text']}", terminal.text(bound, "yellow"))


def show_tiers(tiers: Json) -> None:
    """Print what lifts a task from one tier to the next, and what calls of each tier need."""
    if not tiers:
        return
    terminal.say("")
    terminal.say("What lifts it from one tier to the next", style="bold")
    for one in tiers:
        terminal.say("  ", terminal.text(one["tier"], "bold"))
        if not one["because"]:
            terminal.say(f"    not reached; {one['lifted_by']} would lift it there")
        for tool, why in one["because"].items():
            terminal.say(f"    {tool}: {why}")
            for form in one["below"].get(tool, ()):
                terminal.say(f"      {form}", style="dim")
        for need in one["needs"]:
            terminal.say(f"    needs {need}", style="dim")


def cut_lines(sentences: Json) -> list[str]:
    """Return one short line for each tool that a bound took."""
    return [
        f"`{one['tool']}` of its type is not granted: cut by the {_bound(one)}"
        for one in sentences or ()
        if one["kind"] == "cut" and one["tool"]
    ]
