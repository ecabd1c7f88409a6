# SPDX-License-Identifier: Apache-2.0
"""Measure a framework on the tables of the evidence.

The window ends with the log's last event and not with the clock: who measures the same export again gets the
same report.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from remit.cli.evidence.questions import opened, write_proof
from remit.cli.report.control_files import framework, measures
from remit.core.controls.control import Framework, Measure, MeasuredCheck
from remit.core.controls.control_report import CheckAnswer, ControlAnswer, ControlReport, Measurement
from remit.core.controls.status import Count
from remit.core.evidence.selection import SignedLog
from remit.ports.evidence.tables import EvidenceTables, Value

#: Exceptions of a check that a report names; all are counted.
NAMED: Final = 20
_LONGEST: Final = 200


def measured(
    name: str, *, place: Path | None, key: str, window_s: int, proof: Path | None = None
) -> ControlReport:
    """Return the report of a framework; write the events that it names to `proof`, where that is wanted.

    Raises `VerificationFailed` for an export that does not hold, and `ConfigInvalid` for a control file.
    """
    about, known = framework(name), measures()
    with opened(place, key) as (tables, log):
        report = measure_all(about, known, tables, log, window_s)
        if proof is not None:
            write_proof(tables, log, f"remit report --framework {name}", report.indexes, proof)
    return report


def measure_all(
    about: Framework, known: Mapping[str, Measure], tables: EvidenceTables, log: SignedLog, window_s: int
) -> ControlReport:
    """Return the report of a framework on open tables. Each measure is taken once."""
    since, until = window_of(tables, window_s)
    given = {"since": since or None, "until": until or None}
    taken: dict[tuple[str, str], Measurement] = {}

    def answer(check: MeasuredCheck) -> CheckAnswer:
        kinds = ",".join(check.kinds)
        measure = known[check.measure]
        if (check.measure, kinds) not in taken:
            taken[check.measure, kinds] = take(measure, tables, {**given, "kinds": kinds})
        return CheckAnswer(check=check, measure=measure, measured=taken[check.measure, kinds])

    return ControlReport(
        framework=about,
        origin=log.origin,
        size=log.size,
        since=since,
        until=until,
        days=window_s / 86_400,
        verified=log.verified,
        pruned=log.pruned,
        pruned_before=log.pruned_before,
        answers=tuple(
            ControlAnswer(control=one, checks=tuple(answer(check) for check in one.checks))
            for one in about.controls
        ),
    )


def window_of(tables: EvidenceTables, window_s: int) -> tuple[str, str]:
    """Return the begin and the end of a window that ends with the last event; empty for an empty log."""
    ((last,),) = tables.ask("SELECT max(time)::VARCHAR FROM events", {}, limit=1).rows
    until = str(last) if last is not None else ""
    return str(datetime.fromisoformat(until) - timedelta(seconds=window_s)) if until else "", until


def take(measure: Measure, tables: EvidenceTables, given: Mapping[str, Value]) -> Measurement:
    """Return what a measure counts on open tables."""
    ((total, holding, unknown, first, last, exceptions),) = tables.ask(
        "SELECT count(*), count(*) FILTER (holds), count(*) FILTER (holds IS NULL), "  # noqa: S608 - a file of remit
        "min(index) FILTER (holds), max(index) FILTER (holds), "
        f"min({{'index': index, 'name': name}}, {NAMED}) FILTER (holds IS NOT TRUE) FROM (\n{measure.sql}\n)",
        given,
        limit=1,
    ).rows
    return Measurement(
        count=Count(total=total, holding=holding, unknown=unknown),
        holding=tuple(dict.fromkeys(one for one in (first, last) if one is not None)),
        exceptions=tuple((one["index"], str(one["name"] or "")[:_LONGEST]) for one in exceptions or ()),
    )
