# SPDX-License-Identifier: Apache-2.0
"""The report as one page of HTML."""

from __future__ import annotations

from typing import Final

from remit.cli.output.pages import templates
from remit.cli.report.wire import shares, window
from remit.core.controls.control_report import ControlReport

_TEMPLATES: Final = templates("remit.cli.report", shares=shares)


def page(report: ControlReport) -> str:
    """Return the report as HTML."""
    return _TEMPLATES.get_template("controls.html").render(report=report, window=window(report))
