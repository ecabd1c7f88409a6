# SPDX-License-Identifier: Apache-2.0
"""The report at a terminal: calm, one block for each initiative or agent."""

from __future__ import annotations

from typing import Final

from rich.padding import Padding
from rich.text import Text

from remit.cli.assess.wire import OUTSIDE, agents_of, crossed, friction_of, membership
from remit.cli.output import terminal
from remit.cli.report.wire import window
from remit.core.controls.control_report import CheckAnswer
from remit.core.controls.programme import InitiativeAnswer, PermissionHours, ProgrammeReport
from remit.core.controls.status import ControlStatus
from remit.core.discovery.boundary import BoundaryReport, WouldCross

_COLOURS: Final = {
    ControlStatus.MET: "green",
    ControlStatus.PARTLY: "yellow",
    ControlStatus.NOT_MET: "red",
    ControlStatus.NOT_MEASURED: "cyan",
}
_STEPS: Final = "▁▂▃▄▅▆▇█"
#: Means of one agent, and exceptions of one control, that are shown.
_SHOWN: Final = 5


def show(report: ProgrammeReport | BoundaryReport, *, everything: bool) -> None:
    """Print the report for people."""
    if isinstance(report, BoundaryReport):
        _files(report, everything=everything)
        return
    terminal.say("The programme", style="bold")
    terminal.say(window(report), style="dim")
    for one in report.answers:
        _initiative(one, everything=everything)
    if not report.answers:
        terminal.say("no initiatives, and no agents in the evidence")
    terminal.say("")
    terminal.say(OUTSIDE, style="dim")


def _initiative(one: InitiativeAnswer, *, everything: bool) -> None:
    terminal.say("")
    sponsor = f"  sponsor {one.initiative.sponsor}" if one.initiative.sponsor else "  no sponsor is known"
    terminal.say(terminal.text(one.initiative.title, "bold"), terminal.text(sponsor, "dim"))
    colour = "yellow" if one.unannounced else ""
    rows: list[tuple[str, object]] = [("boundary", terminal.text(crossed(one), colour))]
    if one.tier is not None:
        held = f"{one.tier.word}: {one.held} of {len(one.required)} required controls met"
        rows.append(("tier", terminal.text(f"{held} (event {one.tier_index})")))
    lacking = [each for each in one.required if everything or each.status is not ControlStatus.MET]
    rows += [("", _control(each)) for each in lacking]
    rows += [("who", _figure(one.proven)), ("can", _figure(one.justified)), ("end", one.gone.says)]
    rows.append(("standing", terminal.text(f"{spark(one.hours)} {one.trend}".strip())))
    rows.append(("friction", ", ".join(f"{says} {figure}" for says, figure in friction_of(one))))
    terminal.picture(Padding(terminal.facts(rows), (0, 0, 0, 2)))


def _figure(check: CheckAnswer) -> Text:
    return terminal.text(check.says, _COLOURS.get(check.status, ""))


def _control(check: CheckAnswer) -> Text:
    said = Text(f"{check.status.words}: ", _COLOURS.get(check.status, ""))
    said.append_text(terminal.text(check.says))
    shown = check.measured.exceptions[:_SHOWN]
    for index, name in shown:
        said.append_text(terminal.text(f"; {name} (event {index})", "dim"))
    return said


def spark(hours: tuple[PermissionHours, ...]) -> str:
    """Return the days as one line of small bars."""
    most = max((one.hours for one in hours), default=0.0)
    if most <= 0:
        return ""
    return "".join(_STEPS[min(len(_STEPS) - 1, int(one.hours / most * len(_STEPS)))] for one in hours)


def _files(report: BoundaryReport, *, everything: bool) -> None:
    terminal.say("What would cross", style="bold")
    terminal.say(agents_of(report), style="dim")
    for one in report.found:
        if one.crosses or everything:
            _agent(one, everything=everything)
    if not report.complete:
        unread = ", ".join(report.unread[:_SHOWN])
        terminal.say("")
        terminal.say(terminal.text(f"not everything was read: {unread}", "yellow"))


def _agent(one: WouldCross, *, everything: bool) -> None:
    terminal.say("")
    made_with = "" if one.framework == one.agent else f"  {one.framework}"
    terminal.say(terminal.text(one.agent, "bold"), terminal.text(f"{made_with}  {one.place.file}", "dim"))
    rows: list[tuple[str, object]] = [
        ("initiative", terminal.text(membership(one), "yellow" if one.unannounced else ""))
    ]
    shown = one.means if everything else one.means[:_SHOWN]
    said = "; ".join(f"{each.says}{' (reads)' if each.reads else ''}" for each in shown)
    more = len(one.means) - len(shown)
    rows.append(
        (
            "by",
            terminal.text(said + (f", and {more:,} more" if more else "") or "nothing that its files name"),
        )
    )
    if one.credentials:
        rows.append(("under", terminal.text(", ".join(one.credentials))))
    if one.governed:
        rows.append(("governed", "its calls pass through remit"))
    terminal.picture(Padding(terminal.facts(rows), (0, 0, 0, 2)))
