# SPDX-License-Identifier: Apache-2.0
"""The report as Markdown. Text of others stays text."""

from __future__ import annotations

from collections.abc import Iterator

from remit.cli.assess.wire import OUTSIDE, agents_of, crossed, friction_of, membership, short
from remit.cli.output.markdown import code, escaped
from remit.cli.report.wire import window
from remit.core.controls.programme import InitiativeAnswer, ProgrammeReport
from remit.core.discovery.boundary import BoundaryReport, WouldCross


def markdown(report: ProgrammeReport | BoundaryReport) -> str:
    """Return the report as Markdown."""
    lines = _files(report) if isinstance(report, BoundaryReport) else _programme(report)
    return "\n".join(lines) + "\n"


def _programme(report: ProgrammeReport) -> Iterator[str]:
    yield from ("# The programme", "", f"{escaped(window(report))}.", "", escaped(OUTSIDE), "")
    yield "| initiative | sponsor | boundary | tier | controls | proven identity | justified | p99 to gone |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for one in report.answers:
        cells = (
            one.initiative.title,
            one.initiative.sponsor or "none",
            f"crossed {one.crossing.at[:10]}" if one.crossing else "not crossed",
            one.tier.word if one.tier is not None else "",
            f"{one.held} of {len(one.required)} met",
            short(one.proven),
            short(one.justified),
            one.gone.says,
        )
        yield f"| {' | '.join(map(escaped, cells))} |"
    for one in report.answers:
        yield from _initiative(one)


def _initiative(one: InitiativeAnswer) -> Iterator[str]:
    yield from ("", f"## {escaped(one.initiative.title)}", "")
    yield f"- {escaped(crossed(one))}"
    yield f"- proven identity: {escaped(one.proven.says)}"
    yield f"- justified permissions: {escaped(one.justified.says)}"
    yield f"- time to gone: {escaped(one.gone.says)}"
    yield f"- standing: {escaped(one.trend)}"
    for says, figure in friction_of(one):
        yield f"- {says}: {figure}"
    for control in one.controls:
        for check in control.checks:
            yield f"- **{check.status.words}** ({control.control.id}): {escaped(check.says)}"
            for index, name in check.measured.exceptions:
                yield f"  - event {index}: {escaped(name)}"


def _files(report: BoundaryReport) -> Iterator[str]:
    yield from ("# What would cross", "", f"{agents_of(report)}.", "")
    if not report.complete:
        yield from (f"Not everything was read: {escaped(', '.join(report.unread[:10]))}.", "")
    for one in report.found:
        yield from _agent(one)


def _agent(one: WouldCross) -> Iterator[str]:
    yield f"## {escaped(one.agent)} ({escaped(one.framework)})"
    yield ""
    yield f"- {code(one.place.file)}; {escaped(membership(one))}"
    if not one.crosses:
        yield "- its files name nothing that takes it across"
    for each in one.means:
        at = code(f"{each.place.file}:{each.place.line}")
        yield f"- {escaped(each.says)}{', reads' if each.reads else ''} ({at})"
    if one.credentials:
        yield f"- under {', '.join(map(code, one.credentials))}"
    yield ""
