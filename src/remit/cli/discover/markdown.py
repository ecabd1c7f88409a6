# SPDX-License-Identifier: Apache-2.0
"""The report as Markdown, for a comment on a change or a ticket. Text of others stays text."""

from __future__ import annotations

from typing import Final

from remit.cli.discover.wire import counted_severities, place_text
from remit.cli.output.markdown import code, escaped
from remit.core.discovery.evidence_text import seen
from remit.core.discovery.groups import FindingGroup, grouped, open_findings
from remit.core.discovery.scan import INCOMPLETE, ScannedFinding, ScanReport, Standing

_PLACES: Final = 10
_REACH: Final = 4


def markdown(report: ScanReport) -> str:
    """Return the report as Markdown."""
    found = open_findings(report.found)
    lines = ["# What remit discovered", ""]
    head = f"{len(found)} findings: {counted_severities(found)}" if found else "Nothing found"
    counts = report.counts
    lines += [
        f"{head}. {counts.files:,} files read, {counts.agents} agents, {counts.servers} MCP servers.",
        "",
    ]
    groups = grouped(found)
    if len(groups) > 1:
        lines += [line for group in groups if group.told for line in _story(group)]
        lines.append("")
    for group in groups:
        owner = f" (owner {escaped(group.owner)})" if group.owner else ""
        lines += [f"## {escaped(group.title)}{owner}", ""]
        for one in group.findings:
            lines += _finding(one)
    accepted = sum(one.standing is Standing.ACCEPTED for one in report.found)
    if accepted:
        lines += [f"{accepted} findings are accepted by the baseline.", ""]
    if report.fixed:
        lines += ["## Fixed since the last scan", ""]
        lines += [f"- {escaped(one.finding.says)}" for one in report.fixed] + [""]
    unread = {why: count for why, count in report.counts.skipped.items() if why in INCOMPLETE}
    if unread:
        lines += ["Not read: " + ", ".join(f"{count} {why.value}" for why, count in unread.items()) + ".", ""]
    lines += [f"Rules failed, and their findings are missing: {escaped(one)}" for one in report.faults]
    return "\n".join(lines).rstrip("\n") + "\n"


def _story(group: FindingGroup) -> list[str]:
    worst = group.worst
    about = ", ".join(one for one in (group.does, group.whose) if one)
    lines = [f"- **{escaped(group.title)}** {escaped(about)}".rstrip()]
    lines += [f"  - reaches: {escaped('; '.join(group.reach[:_REACH]))}"] if group.reach else []
    return [
        *lines,
        f"  - worst: {escaped(group.says)}",
        f"  - do first: {escaped(worst.finding.action)}",
    ]


def _finding(one: ScannedFinding) -> list[str]:
    finding = one.finding
    lines = [f"### {finding.weight.value.capitalize()}: {escaped(finding.says)}", ""]
    lines += [f"- where: {code(place_text(place))}" for place in finding.places[:_PLACES]]
    if more := len(finding.places) - _PLACES:
        lines += [f"- and {more} more places"] if more > 0 else []
    told = "; ".join(f"{name} {text}" for name, text in seen(finding.evidence).items())
    lines += [f"- seen: {escaped(told)}"] if told else []
    lines += [f"- step {n}: {escaped(step)}" for n, step in enumerate(finding.steps, 1)]
    if finding.reach:
        lines.append(f"- reaches: {escaped('; '.join(finding.reach))}")
    lines.append(f"- do: {escaped(one.finding.action)}")
    about = " ".join((*finding.controls, f"{one.standing.value} since {one.first_seen:%Y-%m-%d}"))
    return [*lines, f"- {about} {code(finding.id)}", ""]
