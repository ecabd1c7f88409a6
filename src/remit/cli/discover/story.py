# SPDX-License-Identifier: Apache-2.0
"""The report at a terminal: calm, grouped, and with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from remit.cli.discover.wire import counted_severities, place_text
from remit.cli.output import terminal
from remit.core.discovery.evidence_text import seen
from remit.core.discovery.groups import FindingGroup, grouped, open_findings
from remit.core.discovery.scan import INCOMPLETE, ScannedFinding, ScanReport, Standing
from remit.core.findings.kinds import Severity
from remit.core.json_value import Json

#: Findings and places that are shown without `--all`.
SHOWN: Final = 12
_PLACES: Final = 3
_REACH: Final = 6
_LONGEST: Final = 400
_EVIDENCE: Final = 160
#: Columns of a text: longer lines are hard to read.
_WIDEST: Final = 100
#: Agents, and identities beside them, that the story tells of.
_AGENTS: Final = 8
_OTHERS: Final = 6
_FEW_REACHED: Final = 4
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
    groups = grouped(found)
    if len(groups) > 1:
        _stories(groups)
    most = {id(one) for one in (found if everything else sorted(found, key=_rank)[:SHOWN])}
    for group in groups:
        _group(group, most, everything=everything)
    if left := len(found) - len(most):
        terminal.say("")
        terminal.say(
            f"{terminal.counted(left, 'more finding')}: `remit discover --all` shows them", style="dim"
        )
    _end(report)


def _stories(groups: list[FindingGroup]) -> None:
    """Tell of each agent in a few lines: whose it is, what it reaches, the worst, and what to do first."""
    agents = [one for one in groups if one.agent]
    others = [one for one in groups if one.told and not one.agent]
    for heading, told, most in (("Agents", agents, _AGENTS), ("Also", others, _OTHERS)):
        if told:
            terminal.say("")
            terminal.say(heading, style="bold")
        for group in told[:most]:
            _story(group)
        if len(told) > most:
            terminal.say("")
            terminal.say(f"  and {len(told) - most} more", style="dim")


def _story(group: FindingGroup) -> None:
    worst = group.worst
    counted = counted_severities([one for one in group.all if one.finding.weight.rank <= 1])
    about = "  ".join(one for one in (group.does, group.whose, counted) if one)
    terminal.say("")
    name = terminal.text(f"  {group.title}  ", _COLOURS[worst.finding.weight])
    terminal.picture(Text.assemble(name, terminal.text(about, "dim")))
    lines: list[tuple[str, object]] = []
    if group.reach:
        lines.append(("reaches", _some(group.reach, _FEW_REACHED)))
    lines += [("worst", group.says[:_LONGEST]), ("first", worst.finding.action)]
    terminal.picture(Padding(_rows(lines), (0, 0, 0, 2)))


def _some(words: Sequence[str], most: int) -> str:
    more = len(words) - most
    return "; ".join(words[:most]) + (f"; and {more} more" if more > 0 else "")


def _rank(one: ScannedFinding) -> int:
    return one.finding.weight.rank


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


def _group(group: FindingGroup, shown: set[int], *, everything: bool) -> None:
    subjects = [those for those in group.subjects if any(id(one) in shown for one in those)]
    if not subjects:
        return
    terminal.say("")
    owner = f"  owner {group.owner}" if group.owner else ""
    terminal.say(
        terminal.text("Findings about " if group.agent else "", "bold"),
        terminal.text(group.title, "bold"),
        terminal.text(owner, "dim"),
    )
    for those in subjects:
        _subject([one for one in those if id(one) in shown], everything=everything)


def _subject(those: list[ScannedFinding], *, everything: bool) -> None:
    """Show what is wrong with one thing: the worst of it in full, the rest in a line each."""
    one, *others = those
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
        lines.append(("reaches", _some(finding.reach, len(finding.reach) if everything else _REACH)))
    lines.append(("do", one.finding.action))
    lines += [
        ("also" if n == 1 else "", f"{other.finding.weight.value}: {other.finding.says[:_LONGEST]}")
        for n, other in enumerate(others, 1)
    ]
    since = "new" if one.standing is Standing.NEW else f"since {one.first_seen:%Y-%m-%d}"
    controls = dict.fromkeys(control for each in those for control in each.finding.controls)
    ids = "  ".join(each.finding.id for each in those)
    lines.append(
        ("about", Text(f"{' '.join(controls)}{'  ' if controls else ''}{since}  {ids}", style="dim"))
    )
    terminal.picture(Padding(_rows(lines), (0, 0, 0, 11)))


def _rows(lines: list[tuple[str, object]]) -> Table:
    made = Table.grid(padding=(0, 2, 0, 0))
    made.width = min(_WIDEST, terminal.out().width - 11)
    made.add_column(style="dim", no_wrap=True, width=7)
    made.add_column(overflow="fold", ratio=1)
    for name, value in lines:
        made.add_row(name, value if isinstance(value, Text) else terminal.text(value))
    return made


def _hanging(mark: Text, says: Text) -> Table:
    made = Table.grid()
    made.width = min(_WIDEST + 11, terminal.out().width)
    made.add_column(no_wrap=True, width=11)
    made.add_column(overflow="fold", ratio=1)
    says.stylize("bold")
    made.add_row(mark, says)
    return made


def _evidence(evidence: dict[str, Json]) -> str:
    told = "; ".join(f"{name} {text}" for name, text in seen(evidence).items())
    return told if len(told) <= _EVIDENCE else told[: _EVIDENCE - 1] + "…"


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
