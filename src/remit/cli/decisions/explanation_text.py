# SPDX-License-Identifier: Apache-2.0
"""How an explanation is shown: the rules that spoke, what they read, and what would change the answer."""

from __future__ import annotations

from typing import Final

from remit.cli.output import terminal
from remit.core.json_value import Json
from remit.core.safe_text import plain

_ROLES: Final = {
    "permits": ("permits", "green"),
    "refuses": ("refuses", "red"),
    "asks": ("asks an approver", "yellow"),
    "waived": ("would ask; an approval waived it", "green"),
}
_OUTCOMES: Final = {
    "permit": ("permitted", "green"),
    "deny": ("refused", "red"),
    "defer": ("asked about", "yellow"),
}
#: Lines of a rule's text that are shown.
MAX_LINES: Final = 40


def show_explanation(found: Json, *, text: bool = True) -> None:
    """Show the rules that spoke, what would change the answer, and with `text` the rules in full."""
    version = f"version {found['version']}" if found["version"] else found["bundle"][:19]
    terminal.say("")
    if found["rules"]:
        terminal.say(terminal.text("The rules that spoke", "bold"), f", as they were in {version}")
    else:
        terminal.say(terminal.text("No rule spoke", "bold"), f" in {version}" if version else "")
    for one in found["rules"]:
        _show_role(one, found["outcome"])
    if found["label"]:
        terminal.say("")
        terminal.say("What the task had read", style="bold")
    for one in found["label"]:
        label = [one["data_class"], *one["categories"], *(["untrusted"] if one["untrusted"] else [])]
        terminal.say(f"  {', '.join(label)}  by {one['tool']}  ", terminal.moment(one["at"]))
    terminal.say("")
    if found["missing"]:
        terminal.say(f"More cannot be said: {found['missing']}.", style="yellow")
    else:
        _show_changes(found)
    for one in found["rules"] if text else ():
        _show_rule(one)


def _show_role(one: Json, outcome: str) -> None:
    word, style = _ROLES[one["role"]]
    if one["role"] == "permits" and outcome != "permit":
        # Its reason, such as "no rule forbids it", is about a call that is permitted.
        terminal.say("  ", terminal.text(one["id"], "bold"), "  would permit it otherwise")
        return
    reason = f": {one['reason']}" if one["reason"] else ""
    terminal.say("  ", terminal.text(one["id"], "bold"), "  ", terminal.text(word, style), reason)


def _show_rule(one: Json) -> None:
    """Show the text of a rule, and the facts that it read; of truth values the names alone."""
    lines = plain(one["text"].expandtabs(4), lines=True).strip().splitlines()
    if not lines:
        return
    terminal.say("")
    terminal.say(terminal.text(one["id"], "bold"), " read" if one["facts"] else "")
    for name, value in one["facts"].items():
        if not isinstance(value, bool):
            terminal.say(f"  {name} = {terminal.compact(value)}")
    for word, told in (
        ("true", [name for name, value in one["facts"].items() if value is True]),
        ("false", [name for name, value in one["facts"].items() if value is False]),
        ("not in this call", one["absent"]),
    ):
        if told:
            terminal.say(f"  {word}: {', '.join(told)}")
    for line in lines[:MAX_LINES]:
        terminal.say(f"  | {line}", style="dim")
    if len(lines) > MAX_LINES:
        terminal.say(f"  | and {len(lines) - MAX_LINES} more lines", style="dim")


def _show_changes(found: Json) -> None:
    if found["elsewhere"]:
        terminal.say("Something else than a policy refused it, as told above, so no rule would change that.")
        return
    terminal.say("What would change the answer", style="bold")
    for one in found["changes"]:
        word, style = _OUTCOMES[one["outcome"]]
        still = "still " if one["outcome"] == found["outcome"] else ""
        terminal.say(f"  if {one['words']}: ", terminal.text(f"{still}{word}", style))
    tried = terminal.counted(found["tried"], "change")
    if all(one["outcome"] == found["outcome"] for one in found["changes"]):
        terminal.say("  nothing else that was tried changes the answer")
    terminal.say(f"  {tried} tried, each by deciding this call again", style="dim")
    if found["not_tried"]:
        terminal.say(f"  not tried, so nothing can be said: {', '.join(found['not_tried'])}", style="dim")
