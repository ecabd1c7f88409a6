# SPDX-License-Identifier: Apache-2.0
"""How a closure is shown: every derived permission, when it was refused first, and what is still open."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from remit.cli.output import terminal
from remit.core.evidence.receipt import ClosureRead
from remit.core.json_value import Json


def show_closure(closure: Json) -> int:
    """Show a closure."""
    if terminal.is_json():
        terminal.answer(closure)
        return 0
    _headline(closure["scope"], closure["fence_ms"], closed=closure["closed"])
    pairs = [
        ("closure", closure["id"]),
        ("at", terminal.moment(closure["at"])),
        ("by", closure["ended_by"]),
        ("reason", closure["reason"]),
        ("cause", closure["cause"]),
        ("tasks", ", ".join(closure["tasks"]) or "none were open"),
    ]
    terminal.picture(terminal.facts(pairs))
    _closings(
        (
            one["kind"],
            one["name"],
            one["revoked_after_ms"],
            _refused(one["refused_after_ms"], by_hand=one.get("by_hand", False)),
            one["attempts"],
        )
        for one in closure["closings"]
    )
    for one in closure["closings"]:
        if one["refused_after_ms"] is None and one.get("lease"):
            further = "" if one.get("by_hand") else "; see `remit lease list`"
            terminal.say(terminal.text(f"{one['name']} is {one['detail']}{further}", "yellow"))
    if others := closure.get("acknowledged"):
        terminal.say("")
        terminal.table(
            ("REPLICA", "HOST", "ACKNOWLEDGED AFTER"),
            ((one["replica"], one["host"], _acknowledged(one["after_ms"])) for one in others),
            empty="",
        )
    if closure["indeterminate"]:
        terminal.say("")
        terminal.say("Permitted before the end, outcome unknown:", style="yellow")
        terminal.table(
            ("DECISION", "TOOL", "EFFECT"),
            ((one["decision"], one["tool"], one["effect"]) for one in closure["indeterminate"]),
            empty="",
        )
    return 0


def show_read(closure: ClosureRead) -> None:
    """Show a closure from its receipt: only from the signed log, nothing from a running remit."""
    _headline(closure.scope, closure.fence_ms, closed=closure.closed)
    lacking = f"{len(closure.indeterminate)}: {', '.join(closure.indeterminate)}"
    pairs = [
        ("closure", closure.id),
        ("at", terminal.moment(closure.at)),
        ("tasks", closure.tasks),
        ("indeterminate", lacking if closure.indeterminate else ""),
    ]
    terminal.picture(terminal.facts(pairs))
    _closings(
        (
            one.kind,
            one.name,
            one.revoked_after_ms,
            _refused(one.refused_after_ms, by_hand=one.by_hand),
            one.attempts,
        )
        for one in closure.closings
    )
    for one in closure.closings:
        if one.by_hand:
            terminal.say(terminal.text(f"{one.name} is {one.detail}", "yellow"))


def _headline(scope: str, fence_ms: float, *, closed: bool) -> None:
    terminal.say(
        "Ended ",
        terminal.text(scope, "bold"),
        f": fenced after {fence_ms:.1f} ms, ",
        terminal.text("nothing left open", "green")
        if closed
        else terminal.text("something is still open", "bold red"),
    )


def _closings(rows: Iterable[tuple[str, str, float | None, Text, int]]) -> None:
    """Show the derived permissions; for a credential also when its source revoked it, and the number of
    attempts.
    """
    found = list(rows)
    if not found:
        return
    leased = any(attempts for *_, attempts in found)
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    made.add_column("KIND", no_wrap=True)
    made.add_column("WHAT", overflow="fold")
    if leased:
        made.add_column("REVOKED", justify="right", no_wrap=True)
    made.add_column("REFUSED AFTER", justify="right", no_wrap=True)
    if leased:
        made.add_column("TRIED", justify="right", no_wrap=True)
    for kind, name, revoked, refused, attempts in found:
        cells = [terminal.text(kind), terminal.text(name)]
        if leased:
            cells.append(_ms(revoked) if attempts else Text(""))
        cells.append(refused)
        if leased:
            cells.append(Text(str(attempts) if attempts else ""))
        made.add_row(*cells)
    terminal.say("")
    terminal.picture(made)


def _refused(after: float | None, *, by_hand: bool) -> Text:
    return Text("closed by a person", style="yellow") if by_hand else _ms(after)


def _ms(after: float | None) -> Text:
    return Text("still open", style="bold red") if after is None else Text(f"{after:.1f} ms")


def _acknowledged(after_ms: float | None) -> Text:
    if after_ms is None:
        return Text("not acknowledged; its lease ran out", style="yellow")
    return Text(f"{after_ms:.1f} ms")


def show_proof(found: Json) -> None:
    """Report what is proven of a closure."""
    count = terminal.counted(found["events"], "event")
    what = f": {count}, in the log {found['origin']} as signed at {found['size']}"
    terminal.say(terminal.text("proven", "green"), what)
    if found["receipt"]:
        terminal.copyable(f"  remit audit verify {found['receipt']} --key {found['verifier']}", style="dim")
