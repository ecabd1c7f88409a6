# SPDX-License-Identifier: Apache-2.0
"""Paths as a flowchart: incoming data, the task types it passes through, and what these reach."""

from __future__ import annotations

from itertools import pairwise

from remit.cli.output.mermaid import Flowchart
from remit.cli.paths.report import ReachReport
from remit.cli.paths.text import standing
from remit.core.policy.reach import Inflow, StepKind


def flowchart(report: ReachReport) -> Flowchart:
    """Draw the paths of a report."""
    chart = Flowchart("LR")
    for path in report.paths:
        for inflow in (path.inflow, *([path.private] if path.private else ())):
            _route(chart, inflow)
        tool, runner = path.outlet.tool, path.runner
        reached = f"{tool.audience.name}, {tool.effect.value}"
        chart.box(f"task {runner.name}", runner.name, ", ".join(runner.agents))
        chart.box(f"acts {tool.id}", tool.id)
        chart.box(f"reached {reached}", reached)
        chart.arrow(f"task {runner.name}", f"acts {tool.id}", standing(path))
        chart.arrow(f"acts {tool.id}", f"reached {reached}")
    return chart


def _route(chart: Flowchart, inflow: Inflow) -> None:
    label = inflow.source.label
    words = ", ".join((label.data_class, *sorted(label.categories), label.trust.value))
    for step in inflow.route:
        chart.box(f"{step.kind.value} {step.name}", step.name, ", ".join(step.agents))
    for one, other in pairwise(inflow.route):
        says = words if one.kind is StepKind.SOURCE else ""
        chart.arrow(f"{one.kind.value} {one.name}", f"{other.kind.value} {other.name}", says)
