# SPDX-License-Identifier: Apache-2.0
"""`remit policy simulate`: which recorded calls would be decided differently."""

from __future__ import annotations

from typing import Final

from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.parser import Switch
from remit.cli.policy.policy_files import asked
from remit.cli.rest_client import connect
from remit.core.json_value import Json

_WORDS: Final = {"permit": "permitted", "deny": "refused", "defer": "asked about"}
_STYLES: Final = {"permit": "green", "deny": "red", "defer": "yellow"}
#: Names that are shown of each kind, and examples of each change.
SHOWN: Final = 4
EXAMPLES: Final = 3


def simulate(folder: str = "", /, *, version: int = 0, limit: int = 10_000, every: Switch = False) -> None:
    """Decide recorded calls again under other policies: which change, for which person, by which rule.

    Nothing is changed. Only the policies' part is decided again: what a grant, a budget or a token refused
    stays refused, and an approval still counts for the rules that it waived. Decisions that cannot be decided
    again exactly are counted with the reason. For example, see before `remit policy apply` whose work a new
    rule would break.

    Parameters
    ----------
    folder
        The folder with the policies; tools and task types are those in force. Without it: the whole bundle
        in the server's folder.
    version
        An earlier version of `remit policy history` in place of a folder.
    limit
        Look at this many recorded decisions, the newest first.
    every
        Decide every call under both versions: it shows whether the record reproduces it.
    """
    if folder and version:
        raise UsageFault("a folder and a version", remediation="give one of them")
    found = connect().post("policies", "simulate", limit=limit, every=every, **asked(folder, version))
    if terminal.is_json():
        terminal.answer(found)
    else:
        show_simulation(found)


def show_simulation(found: Json) -> None:
    """Show what would change."""
    changed = sum(one["calls"] for one in found["flips"])
    terminal.say(
        terminal.text(terminal.counted(found["read"], "recorded decision"), "bold"),
        f": {changed} would change",
    )
    for many, what in (
        (found["unchanged"] - found["refused_elsewhere"], "decided again, and the same"),
        (found["refused_elsewhere"], "refused by something else than policy"),
        (found["unaffected"], "not touched by any rule that differs"),
    ):
        if many:
            terminal.say(f"  {many:>6}  {what}", style="dim")
    show_flips(found["flips"])
    if found["skipped"]:
        terminal.say("")
        terminal.say("These could not be decided again:", style="yellow")
        for one in found["skipped"]:
            terminal.say(f"  {one['decisions']:>6}  {one['meaning']}")


def show_flips(flips: list[Json]) -> None:
    """Show the calls that change, by what they have in common, with examples."""
    for one in flips:
        _show_flip(one)
    if flips:
        terminal.say("  `remit explain DECISION` shows a call", style="dim")


def _show_flip(one: Json) -> None:
    before, after = one["before"], one["after"]
    mark = terminal.text("  more permissive", "bold red") if one["more_permissive"] else ""
    terminal.say("")
    terminal.say(
        terminal.text(terminal.counted(one["calls"], "call"), "bold"),
        ": ",
        terminal.text(_WORDS[before], _STYLES[before]),
        " -> ",
        terminal.text(_WORDS[after], _STYLES[after]),
        mark,
    )
    kinds = (("by rule", "rules"), ("agents", "agents"), ("tools", "tools"), ("task types", "task_types"))
    pairs = [(title, _names(one[name])) for title, name in (*kinds, ("people", "people")) if one[name]]
    terminal.picture(terminal.facts(pairs))
    for each in one["examples"][:EXAMPLES]:
        why = f": {each['why'][0]}" if each["why"] else ""
        terminal.say(f"  {each['decision']}  {each['tool']}  {each['agent']}{why}", style="dim")


def _names(counted: list[Json]) -> str:
    shown = ", ".join(f"{one['name']} ({one['calls']})" for one in counted[:SHOWN])
    more = len(counted) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
