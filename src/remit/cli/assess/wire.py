# SPDX-License-Identifier: Apache-2.0
"""The report as JSON, and the words that its forms share."""

from __future__ import annotations

from typing import Final

from remit.cli.report.wire import counted_check
from remit.core.controls.control_report import CheckAnswer
from remit.core.controls.programme import InitiativeAnswer, ProgrammeReport
from remit.core.controls.status import ControlStatus, share
from remit.core.discovery.boundary import BoundaryReport, WouldCross
from remit.core.json_value import Json

#: What no figure here can know.
OUTSIDE: Final = (
    "Calls, permissions and credentials that agents have outside remit are in no figure here: "
    "`remit assess PATH` and `remit discover` look for them."
)


def wire(report: ProgrammeReport | BoundaryReport) -> Json:
    """Return the report as a program reads it."""
    if isinstance(report, BoundaryReport):
        return {
            "complete": report.complete,
            "unread": list(report.unread),
            "agents": [_would(one) for one in report.found],
        }
    return {
        "origin": report.origin,
        "size": report.size,
        "verified": report.verified,
        "pruned": report.pruned,
        "pruned_before": report.pruned_before,
        "since": report.since,
        "until": report.until,
        "outside": OUTSIDE,
        "initiatives": [_initiative(one) for one in report.answers],
    }


def _would(one: WouldCross) -> Json:
    return {
        "agent": one.agent,
        "framework": one.framework,
        "file": one.place.file,
        "line": one.place.line,
        "initiative": one.initiative.name if one.initiative else None,
        "sponsor": one.initiative.sponsor if one.initiative else None,
        "owner": one.owner,
        "crosses": one.crosses,
        "announced": one.crosses and not one.unannounced,
        "governed": one.governed,
        "credentials": list(one.credentials),
        "means": [
            {"says": each.says, "file": each.place.file, "line": each.place.line, "reads_only": each.reads}
            for each in one.means
        ],
    }


def _initiative(one: InitiativeAnswer) -> Json:
    crossing, gone, friction = one.crossing, one.gone, one.friction
    return {
        "name": one.initiative.name,
        "sponsor": one.initiative.sponsor,
        "description": one.initiative.description,
        "agents": list(one.initiative.agents),
        "announced": one.initiative.acts,
        "crossing": {
            "event": crossing.index,
            "at": crossing.at,
            "agent": crossing.agent,
            "tool": crossing.tool,
            "effect": crossing.effect,
            "observed": crossing.observed,
        }
        if crossing
        else None,
        "tier": {"name": one.tier.word, "event": one.tier_index} if one.tier is not None else None,
        "controls": {
            "required": len(one.required),
            "met": one.held,
            "items": [
                _check(each, control.control.id) for control in one.controls for each in control.checks
            ],
        },
        "proven_identity": _check(one.proven),
        "justified_permissions": _check(one.justified),
        "time_to_gone": {
            "ends": gone.ends,
            "left_open": gone.untold,
            "p99_us": gone.p99_us,
            "event": gone.index,
        },
        "permission_hours": {
            "trend": one.trend,
            "events": list(one.hours_indexes),
            "days": [{"day": each.day, "hours": round(each.hours, 6)} for each in one.hours],
        },
        "friction": {
            "calls": friction.calls,
            "questions": friction.questions,
            "answered": friction.answered,
            "waited_s": friction.waited_s,
            "median_s": friction.median_s,
            "overturned": friction.overturned,
            "events": list(friction.indexes),
        },
    }


def _check(one: CheckAnswer, tier: str = "") -> Json:
    return {**counted_check(one), **({"tier": tier} if tier else {})}


def crossed(one: InitiativeAnswer) -> str:
    """Return when an initiative crossed, and by what, in words."""
    at = one.crossing
    if at is None:
        return "has not crossed: no call above the tier `conversation`"
    said = f"crossed on {at.at[:10]} at {at.at[11:16]} UTC: {at.agent} {at.how} with {at.tool}"
    return f"{said} (event {at.index})" + (", only observed" if at.observed else "")


def short(one: CheckAnswer) -> str:
    """Return a share in few words: a figure, or that there is none."""
    return "not measured" if one.status is ControlStatus.NOT_MEASURED else share(one.measured.count)


def friction_of(one: InitiativeAnswer) -> list[tuple[str, str]]:
    """Return the figures of friction, each with its words."""
    told = one.friction
    median = "no answers" if told.median_s is None else f"{told.median_s:,.0f} s at the median"
    return [
        ("questions per 100 calls", told.per_100(told.questions)),
        ("seconds of waiting per 100 calls", told.per_100(told.waited_s)),
        ("refusals overturned per 100 calls", told.per_100(told.overturned)),
        ("an answer takes", median),
    ]


def agents_of(report: BoundaryReport) -> str:
    """Return how many agents would cross, in words."""
    crossing = sum(one.crosses for one in report.found)
    said = f"{crossing} of {len(report.found)} declared agents and APIs would cross"
    return f"{said}, {len(report.unannounced)} unannounced"


def membership(one: WouldCross) -> str:
    """Return to which initiative an agent belongs, in words."""
    if one.initiative is None:
        return "no initiative"
    said = f"{one.initiative.title}, sponsor {one.initiative.sponsor}"
    return said if one.initiative.acts or not one.crosses else f"{said}, without `acts: true`"
