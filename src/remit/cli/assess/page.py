# SPDX-License-Identifier: Apache-2.0
"""The report as one page of HTML."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from remit.api.console.charts import trend_line
from remit.cli.assess.wire import OUTSIDE, agents_of, crossed, friction_of, membership, short
from remit.cli.output.pages import templates
from remit.cli.report.wire import window
from remit.core.controls.programme import InitiativeAnswer, ProgrammeReport
from remit.core.discovery.boundary import BoundaryReport


def _trend(one: InitiativeAnswer) -> Markup:
    return trend_line([(each.day, each.hours) for each in one.hours], "permission-hours")


_TEMPLATES: Final = templates(
    "remit.cli.assess",
    crossed=crossed,
    short=short,
    friction=friction_of,
    trend=_trend,
    membership=membership,
)


def page(report: ProgrammeReport | BoundaryReport) -> str:
    """Return the report as HTML."""
    if isinstance(report, BoundaryReport):
        return _TEMPLATES.get_template("boundary.html").render(report=report, says=agents_of(report))
    return _TEMPLATES.get_template("programme.html").render(
        report=report, period=window(report), outside=OUTSIDE
    )
