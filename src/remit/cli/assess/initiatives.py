# SPDX-License-Identifier: Apache-2.0
"""Measure the initiatives of a programme on the tables of the evidence.

An initiative has the agents that the configuration names, and those that were registered for it. The window
ends with the log's last event, as that of `remit report`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import msgspec

from remit.cli.evidence.questions import opened, write_proof
from remit.cli.report.control_files import CONTROLS, framework, measures
from remit.cli.report.measures import take, window_of
from remit.core.controls.control import Measure, MeasuredCheck
from remit.core.controls.control_report import CheckAnswer, ControlAnswer
from remit.core.controls.programme import (
    WITHOUT,
    Crossing,
    Friction,
    GoneTimes,
    Initiative,
    InitiativeAnswer,
    PermissionHours,
    ProgrammeReport,
    gone_times,
)
from remit.core.evidence.selection import SignedLog
from remit.core.tools.tool import Tier
from remit.ports.evidence.tables import EvidenceTables, Value

#: The measures of two of the three questions: who is it, and what may it do.
PROVEN: Final = "calls-proven"
JUSTIFIED: Final = "permissions-used"
_ENDS: Final = 10_000_000
_HOUR_US: Final = 3_600_000_000
#: Restricts a measure to the events of some agents.
_OF_AGENTS: Final = (
    "SELECT measured.* FROM (\n{sql}\n) measured JOIN events USING (index) "
    "WHERE list_contains(from_json($agents, '[\"VARCHAR\"]'), events.agent)"
)


def assessed(
    initiatives: Sequence[Initiative],
    *,
    place: Path | None,
    key: str,
    window_s: int,
    proof: Path | None = None,
) -> ProgrammeReport:
    """Return the report; write the events that it names to `proof`, where that is wanted.

    Raises `VerificationFailed` for an export that does not hold.
    """
    with opened(place, key) as (tables, log):
        report = assess_all(initiatives, tables, log, window_s)
        if proof is not None:
            write_proof(tables, log, "remit assess", report.indexes, proof)
    return report


def assess_all(
    initiatives: Sequence[Initiative], tables: EvidenceTables, log: SignedLog, window_s: int
) -> ProgrammeReport:
    """Return the report on open tables."""
    since, until = window_of(tables, window_s)
    given = {"since": since or None, "until": until or None, "kinds": ""}
    answers = [_assess(one, tables, given) for one in _with_registered(initiatives, tables)]
    answers.sort(key=lambda one: (one.crossing is None, not one.unannounced, one.initiative.name))
    return ProgrammeReport(
        origin=log.origin,
        size=log.size,
        since=since,
        until=until,
        days=window_s / 86_400,
        verified=log.verified,
        pruned=log.pruned,
        pruned_before=log.pruned_before,
        answers=tuple(answers),
    )


def _with_registered(initiatives: Sequence[Initiative], tables: EvidenceTables) -> list[Initiative]:
    """Return the initiatives with the agents that the log registers for them, and one for all others."""
    found = {one.name: one for one in initiatives}
    taken = {agent for one in initiatives for agent in one.agents}
    rows = tables.ask(
        "SELECT DISTINCT e.agent, coalesce(a.initiative, '') FROM events e LEFT JOIN agents a USING (agent) "
        "WHERE e.agent <> '' ORDER BY ALL",
        {},
        limit=1_000_000,
    ).rows
    for agent, name in cast("tuple[tuple[str, str], ...]", rows):
        if agent in taken:
            continue
        known = found.get(name, Initiative(name=name))
        found[name] = msgspec.structs.replace(known, agents=(*known.agents, agent))
    return sorted(found.values(), key=lambda one: (one.name == WITHOUT, one.name))


def _assess(one: Initiative, tables: EvidenceTables, window: Mapping[str, Value]) -> InitiativeAnswer:
    given = {**window, "agents": msgspec.json.encode(one.agents).decode()}
    known = measures()
    taken: dict[str, CheckAnswer] = {}

    def answer(check: MeasuredCheck) -> CheckAnswer:
        if check.measure not in taken:
            mine = _mine(known[check.measure])
            taken[check.measure] = CheckAnswer(check=check, measure=mine, measured=take(mine, tables, given))
        return msgspec.structs.replace(taken[check.measure], check=check)

    crossing, tier, tier_index = _crossing(tables, given)
    required = framework("tiers").controls if crossing is not None and tier is not None else ()
    hours, stood = _hours(tables, given)
    return InitiativeAnswer(
        initiative=one,
        crossing=crossing,
        tier=tier,
        tier_index=tier_index,
        controls=tuple(
            ControlAnswer(control=each, checks=tuple(map(answer, each.checks)))
            for each in required
            if tier is not None and Tier[each.id.upper()] <= tier
        ),
        proven=answer(MeasuredCheck(measure=PROVEN)),
        justified=answer(MeasuredCheck(measure=JUSTIFIED)),
        gone=_gone(tables, given),
        hours=hours,
        hours_indexes=stood,
        friction=_friction(tables, given),
    )


def _mine(measure: Measure) -> Measure:
    return msgspec.structs.replace(measure, sql=_OF_AGENTS.format(sql=measure.sql))


def _rows(
    name: str, tables: EvidenceTables, given: Mapping[str, Value], limit: int
) -> list[dict[str, Value]]:
    sql = CONTROLS.joinpath("programme", f"{name}.sql").read_text("utf-8")
    answer = tables.ask(sql, given, limit=limit)
    return [dict(zip(answer.columns, cast("tuple[Value, ...]", row), strict=True)) for row in answer.rows]


def _crossing(
    tables: EvidenceTables, given: Mapping[str, Value]
) -> tuple[Crossing | None, Tier | None, int | None]:
    rows = _rows("crossings", tables, given, 1)
    if not rows:
        return None, None, None
    (row,) = rows
    tier, tier_index = str(row.pop("tier")).upper(), cast(int, row.pop("tier_index"))
    # A tier that this version does not know is taken for the highest.
    crossing = msgspec.convert(row, Crossing) if row["index"] is not None else None
    return crossing, Tier.__members__.get(tier, Tier.AUTONOMOUS), tier_index


def _gone(tables: EvidenceTables, given: Mapping[str, Value]) -> GoneTimes:
    rows = _rows("gone", tables, given, _ENDS)
    return gone_times([(cast("int | None", one["us"]), cast(int, one["index"])) for one in rows])


def _hours(
    tables: EvidenceTables, given: Mapping[str, Value]
) -> tuple[tuple[PermissionHours, ...], tuple[int, ...]]:
    if given["until"] is None:
        return (), ()
    rows = _rows("permission-hours", tables, given, 40_000)
    hours = tuple(
        PermissionHours(day=str(one["day"]), hours=int(str(one["tool_us"])) / _HOUR_US) for one in rows
    )
    named = {one[name] for one in rows for name in ("first_index", "last_index")}
    return hours, tuple(sorted(one for one in named if isinstance(one, int)))


def _friction(tables: EvidenceTables, given: Mapping[str, Value]) -> Friction:
    (row,) = _rows("friction", tables, given, 1)
    named = (row.pop("first_index"), row.pop("last_index"))
    return msgspec.convert({**row, "indexes": [one for one in named if one is not None]}, Friction)
