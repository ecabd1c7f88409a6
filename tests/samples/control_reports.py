# SPDX-License-Identifier: Apache-2.0
"""Reports of controls in which all texts of others are hostile."""

from __future__ import annotations

from remit.cli.report.control_files import framework, measures
from remit.core.controls.control_report import CheckAnswer, ControlAnswer, ControlReport, Measurement
from remit.core.controls.status import Count

HOSTILE = "<script>alert(1)</script>\x1b[31m[a](http://evil.example) \u202eeman| `x` @team"
MEASURES = measures()


def a_report(name: str = "asi", said: str = HOSTILE, measured: Measurement | None = None) -> ControlReport:
    """Return a report of which each check was measured so: with one exception of a hostile name."""
    about = framework(name)
    if measured is None:
        measured = Measurement(count=Count(total=40, holding=39), holding=(1, 2), exceptions=((7, said),))
    return ControlReport(
        framework=about,
        origin=said,
        size=41_203,
        since="2026-02-01 00:00:00",
        until="2026-03-02 00:00:00",
        days=30,
        answers=tuple(
            ControlAnswer(
                control=one,
                checks=tuple(
                    CheckAnswer(check=check, measure=MEASURES[check.measure], measured=measured)
                    for check in one.checks
                ),
            )
            for one in about.controls
        ),
    )
