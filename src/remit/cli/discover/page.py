# SPDX-License-Identifier: Apache-2.0
"""The report as one page of HTML: without scripts, links or other files, and fit for paper."""

from __future__ import annotations

from typing import Final

import jinja2
from markupsafe import Markup

from remit.cli.discover.story import size
from remit.cli.discover.wire import place_text
from remit.core.discovery.evidence_text import seen
from remit.core.discovery.groups import grouped, open_findings
from remit.core.discovery.scan import INCOMPLETE, ScanReport, Standing
from remit.core.findings.finding import FINDING_MEANINGS, Severity
from remit.core.safe_text import plain

_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("remit.cli.discover", "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=lambda value: (
        plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
    ),
)


def _words(text: str) -> Markup:
    """Return a sentence in which what stands between backticks is code."""
    parts = plain(text).split("`")
    if len(parts) % 2 == 0:
        return Markup.escape(plain(text))
    made = [
        Markup("<code>{}</code>").format(part) if n % 2 else Markup.escape(part)
        for n, part in enumerate(parts)
    ]
    return Markup("").join(made)


def _counted(count: int, what: str, several: str) -> str:
    return f"{count:,} {what if count == 1 else several}"


_TEMPLATES.filters |= {
    "place": place_text,
    "seen": seen,
    "size": size,
    "words": _words,
    "counted": _counted,
}


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
