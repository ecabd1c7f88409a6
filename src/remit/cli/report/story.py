# SPDX-License-Identifier: Apache-2.0
"""The report at a terminal: one line for each control, or everything."""

from __future__ import annotations

from typing import Final

from rich.padding import Padding
from rich.text import Text

from remit.cli.output import terminal
from remit.cli.report.wire import counted, shares, window
from remit.core.controls.control_report import CheckAnswer, ControlAnswer, ControlReport
from remit.core.controls.status import ControlStatus

_COLOURS: Final = {
    ControlStatus.MET: "green",
    ControlStatus.PARTLY: "yellow",
    ControlStatus.NOT_MET: "red",
    ControlStatus.NOT_MEASURED: "cyan",
    ControlStatus.OUTSIDE: "dim",
}
#: Exceptions that are shown of a check.
_SHOWN: Final = 5


def show(report: ControlReport, *, everything: bool) -> None:
    """Print the report for people."""
    terminal.say(report.framework.title, style="bold")
    terminal.say(window(report), style="dim")
    terminal.say("")
    if everything:
        for one in report.answers:
            _control(one)
    else:
        rows = (
            (one.control.id, _status(one.status), one.control.title, one.decided_by) for one in report.answers
        )
        terminal.table(("CONTROL", "STATUS", "", "WHAT DECIDES"), rows, empty="no controls", whole=2, head=3)
        terminal.say("")
    terminal.say(counted(report), style="bold")
    if not everything:
        terminal.remark("`--all` shows each check, its exceptions, and what to do next")


def _status(status: ControlStatus) -> Text:
    return Text(status.words, _COLOURS[status])


def _control(one: ControlAnswer) -> None:
    terminal.say(terminal.text(f"{one.control.id} {one.control.title}  ", "bold"), _status(one.status))
    rows: list[tuple[str, object]] = [("asks", one.control.asks)]
    rows += [("answer", f"{each.says} (docs/{each.see})") for each in one.control.answered_by]
    rows += [(check.status.words, _said(check)) for check in one.checks]
    rows += [("outside", one.control.outside), ("next", Text(one.control.next, "bold"))]
    terminal.picture(Padding(terminal.facts(rows), (0, 0, 1, 2)))


def _said(check: CheckAnswer) -> Text:
    said = terminal.text(check.says)
    said.append(f" ({shares(check)})", "dim")
    shown = check.measured.exceptions[:_SHOWN]
    for index, name in shown:
        said.append(", " if said.plain.endswith(")") and (index, name) != shown[0] else "; exceptions: ")
        said.append_text(terminal.text(f"{name} (event {index})"))
    if more := check.measured.count.exceptions - len(shown):
        said.append(f", and {more:,} more" if shown else "")
    return said
