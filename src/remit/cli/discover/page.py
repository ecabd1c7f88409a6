# SPDX-License-Identifier: Apache-2.0
"""The report as one page of HTML: without scripts, links or other files, and fit for paper."""

from __future__ import annotations

from typing import Final

from remit.cli.discover.story import size
from remit.cli.discover.wire import place_text
from remit.cli.output.pages import templates
from remit.core.discovery.evidence_text import seen
from remit.core.discovery.groups import grouped, open_findings
from remit.core.discovery.scan import INCOMPLETE, ScanReport, Standing
from remit.core.findings.kinds import Severity
from remit.core.findings.meanings import FINDING_MEANINGS

_TEMPLATES: Final = templates("remit.cli.discover", place=place_text, seen=seen, size=size)


def page(report: ScanReport) -> str:
    """Return the report as HTML."""
    found = open_findings(report.found)
    return _TEMPLATES.get_template("report.html").render(
        report=report,
        counts=report.counts,
        groups=grouped(found),
        total=len(found),
        by_severity=[(one.value, sum(each.finding.weight is one for each in found)) for one in Severity],
        new=sum(one.standing is Standing.NEW for one in found),
        accepted=[one for one in report.found if one.standing is Standing.ACCEPTED],
        unread=[(why.value, count) for why, count in report.counts.skipped.items() if why in INCOMPLETE],
        meanings=FINDING_MEANINGS,
    )
