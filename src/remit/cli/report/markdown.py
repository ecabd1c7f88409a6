# SPDX-License-Identifier: Apache-2.0
"""The report as Markdown. Text of others stays text."""

from __future__ import annotations

from remit.cli.output.markdown import code, escaped
from remit.cli.report.wire import counted, shares, window
from remit.core.controls.control_report import CheckAnswer, ControlAnswer, ControlReport


def markdown(report: ControlReport) -> str:
    """Return the report as Markdown."""
    lines = [f"# {escaped(report.framework.title)}", "", escaped(report.framework.says), ""]
    lines += [f"{escaped(window(report))}: {counted(report)}.", ""]
    lines += ["| control | | status | what decides |", "| --- | --- | --- | --- |"]
    for one in report.answers:
        cells = (one.control.id, one.control.title, one.status.words, one.decided_by)
        lines.append(f"| {' | '.join(map(escaped, cells))} |")
    for one in report.answers:
        lines += ["", *_control(one)]
    return "\n".join(lines) + "\n"


def _control(one: ControlAnswer) -> list[str]:
    control = one.control
    lines = [f"## {control.id} {escaped(control.title)}: {one.status.words}", "", escaped(control.asks), ""]
    lines += [
        f"- answered by: {escaped(each.says)} ({code(f'docs/{each.see}')})" for each in control.answered_by
    ]
    for check in one.checks:
        lines += _check(check)
    return [*lines, f"- outside: {escaped(control.outside)}", f"- next: {escaped(control.next)}"]


def _check(check: CheckAnswer) -> list[str]:
    lines = [f"- **{check.status.words}**: {escaped(check.says)} ({shares(check)})"]
    lines += [f"  - event {index}: {escaped(name)}" for index, name in check.measured.exceptions]
    more = check.measured.count.exceptions - len(check.measured.exceptions)
    return [*lines, f"  - and {more:,} more"] if more else lines
