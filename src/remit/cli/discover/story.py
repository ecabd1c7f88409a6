# SPDX-License-Identifier: Apache-2.0
"""The report at a terminal: calm, grouped, and with what to do."""

from __future__ import annotations

from typing import Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from remit.cli.discover.groups import FindingGroup, grouped, open_findings
from remit.cli.discover.wire import counted_severities, place_text, remediation, seen
from remit.cli.output import terminal
from remit.core.discovery.scan import INCOMPLETE, ScannedFinding, ScanReport, Standing
from remit.core.findings.finding import Severity
from remit.core.json_value import Json

#: Findings and places that are shown without `--all`.
SHOWN: Final = 12
_PLACES: Final = 3
_REACH: Final = 6
_LONGEST: Final = 400
_COLOURS: Final = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "dim",
}


def show(report: ScanReport, *, everything: bool) -> None:
    """Print the report for people."""
    found = open_findings(report.found)
    _read(report)
    terminal.say("")
    if not found:
        terminal.say("Nothing found.", style="green")
    else:
        new = sum(one.standing is Standing.NEW for one in found)
        say = f"{terminal.counted(len(found), 'finding')}: {counted_severities(found)}"
        terminal.say(say + (f"; {new} new" if 0 < new < len(found) else ""), style="bold")
    shown = found if everything else sorted(found, key=lambda one: one.finding.weight.rank)[:SHOWN]
    for group in grouped(shown):
        _group(group, everything=everything)
    if left := len(found) - len(shown):
        terminal.say("")
        terminal.say(
            f"{terminal.counted(left, 'more finding')}: `remit discover --all` shows them", style="dim"
        )
    _end(report)


def _read(report: ScanReport) -> None:
    counts = report.counts
    unchanged = f", {counts.unchanged:,} unchanged" if counts.unchanged else ""
    terminal.say(
        f"Read {counts.files:,} {'file' if counts.files == 1 else 'files'} below {report.base}"
        f" ({size(counts.size_bytes)}{unchanged})",
        style="dim",
    )
    words = [terminal.counted(counts.agents, "agent")] if counts.agents else []
    words += [terminal.counted(counts.servers, "MCP server")] if counts.servers else []
    words += [terminal.counted(counts.exports, "file") + " of permissions"] if counts.exports else []
    if words:
        terminal.say("Saw " + ", ".join(words), style="dim")


def _group(group: FindingGroup, *, everything: bool) -> None:
    terminal.say("")
    owner = f"  owner {group.owner}" if group.owner and not group.title.endswith(group.owner) else ""
    terminal.say(terminal.text(group.title, "bold"), terminal.text(owner, "dim"))
    for one in group.findings:
        _finding(one, everything=everything)


def _finding(one: ScannedFinding, *, everything: bool) -> None:
    finding = one.finding
    terminal.say("")
    mark = Text(f"  {finding.weight.value:<9}", style=_COLOURS[finding.weight])
    terminal.picture(_hanging(mark, terminal.text(finding.says[:_LONGEST])))
    places = finding.places if everything else finding.places[:_PLACES]
    lines: list[tuple[str, object]] = [("where", place_text(place)) for place in places[:1]]
    lines += [("", place_text(place)) for place in places[1:]]
    if more := len(finding.places) - len(places):
        lines.append(("", f"and {more} more"))
    if told := _evidence(finding.evidence):
        lines.append(("seen", told))
    lines += [
        ("steps" if n == 1 else "", f"{n}. {step[:_LONGEST]}") for n, step in enumerate(finding.steps, 1)
    ]
    if finding.reach:
        reach = finding.reach if everything else finding.reach[:_REACH]
        more_reach = (
            f"; and {len(finding.reach) - len(reach)} more" if len(reach) < len(finding.reach) else ""
        )
        lines.append(("reaches", "; ".join(reach) + more_reach))
    lines.append(("do", remediation(one)))
    since = "new" if one.standing is Standing.NEW else f"since {one.first_seen:%Y-%m-%d}"
    controls = " ".join(finding.controls)
    lines.append(("about", Text(f"{controls}{'  ' if controls else ''}{since}  {finding.id}", style="dim")))
    terminal.picture(Padding(_rows(lines), (0, 0, 0, 11)))


def _rows(lines: list[tuple[str, object]]) -> Table:
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True, width=7)
    made.add_column(overflow="fold")
    for name, value in lines:
        made.add_row(name, value if isinstance(value, Text) else terminal.text(value))
    return made


def _hanging(mark: Text, says: Text) -> Table:
    made = Table.grid()
    made.add_column(no_wrap=True, width=11)
    made.add_column(overflow="fold")
    says.stylize("bold")
    made.add_row(mark, says)
    return made


def _evidence(evidence: dict[str, Json]) -> str:
    told = "; ".join(f"{name} {text}" for name, text in seen(evidence).items())
    return told if len(told) <= _LONGEST else told[: _LONGEST - 1] + "…"


def _end(report: ScanReport) -> None:
    accepted = sum(one.standing is Standing.ACCEPTED for one in report.found)
    lines = []
    if report.fixed:
        lines.append(f"{terminal.counted(len(report.fixed), 'finding')} of earlier scans fixed")
    if accepted:
        lines.append(f"{accepted} accepted by the baseline")
    if lines:
        terminal.say("")
        terminal.say("; ".join(lines), style="green")
    unread = {why: count for why, count in report.counts.skipped.items() if why in INCOMPLETE}
    if unread or report.faults:
        terminal.say("")
    if unread:
        said = ", ".join(f"{count} {why.value}" for why, count in unread.items())
        first = report.skipped[0].file if report.skipped else ""
        terminal.say(f"Not read: {said}" + (f"; such as {first}" if first else ""), style="yellow")
    for fault in report.faults:
        terminal.say(f"Rules failed, and their findings are missing: {fault}", style="yellow")


def size(count: int) -> str:
    """Return a size in everyday units."""
    for unit, bytes_of in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= bytes_of:
            return (
                f"{count / bytes_of:.1f} {unit}" if count < 10 * bytes_of else f"{count // bytes_of:,} {unit}"
            )
    return f"{count} B"
