# SPDX-License-Identifier: Apache-2.0
"""Anomalies of questions to people: approvals without a look, and too many questions.

The time for a look is at most the time since the question was asked, and since the person's answer before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import msgspec

from remit.core.findings.anomaly_rules import DAY_S, HOUR_S, MOST_NAMED, Anomaly, AnomalyRules, counted, span
from remit.core.findings.kinds import FindingKind, Severity

#: Open questions, people and agents that are followed; the longest unused are dropped.
MOST_OPEN: Final = 2048
MOST_FOLLOWED: Final = 500

Value = TypeVar("Value")


class WatchedAnswer(msgspec.Struct, frozen=True):
    """One answer: when, by which event, the longest look that it can rest on, and whether it was a yes."""

    at: float
    index: int
    look_s: float
    yes: bool


class Questions(msgspec.Struct):
    """What is known of questions: when the open ones were asked, each person's last answers, and when each
    agent asked.
    """

    asked: dict[str, float] = {}
    given: dict[str, list[WatchedAnswer]] = {}
    by_agent: dict[str, list[tuple[float, int]]] = {}


def after_question(
    known: Questions, approval: str, agent: str, at: float, index: int, rules: AnomalyRules
) -> list[Anomaly]:
    """Take a question in; return what is odd about how often its agent asks."""
    known.asked[approval] = at
    _bound(known.asked, MOST_OPEN, lambda asked: at - asked >= DAY_S)
    earlier = [one for one in known.by_agent.pop(agent, ()) if at - one[0] < HOUR_S]
    known.by_agent[agent] = recent = [*earlier, (at, index)][-(rules.questions_an_hour + 1) :]
    # Those who asked last are at the end: what is older than an hour counts no more.
    _bound(known.by_agent, MOST_FOLLOWED, lambda asked: at - asked[-1][0] >= HOUR_S)
    if len(recent) <= rules.questions_an_hour or FindingKind.APPROVAL_FATIGUE not in rules.on:
        return []
    says = f"asked people {counted(len(recent), 'question')} within {span(at - recent[0][0])}"
    return [_fatigue(f"agent:{agent}", "asks", says, [one[1] for one in recent])]


def after_answer(
    known: Questions, approval: str, person: str, yes: bool, at: float, index: int, rules: AnomalyRules
) -> list[Anomaly]:
    """Take a person's answer in; return what is odd about how fast or how often the person answers."""
    earlier = [one for one in known.given.pop(person, ()) if at - one.at < HOUR_S]
    looks = [at - known.asked[approval]] if approval in known.asked else []
    looks += [at - earlier[-1].at] if earlier else []
    answer = WatchedAnswer(at, index, max(0.0, min(looks)) if looks else HOUR_S, yes)
    most = max(rules.questions_an_hour + 1, rules.quick_answers)
    known.given[person] = recent = [*earlier, answer][-most:]
    _bound(known.given, MOST_FOLLOWED, lambda answers: at - answers[-1].at >= HOUR_S)
    return list(_odd(person, recent, rules)) if FindingKind.APPROVAL_FATIGUE in rules.on else []


def _odd(person: str, recent: list[WatchedAnswer], rules: AnomalyRules) -> Iterator[Anomaly]:
    last = recent[-rules.quick_answers :]
    if len(last) == rules.quick_answers and all(one.yes and one.look_s <= rules.quick_s for one in last):
        slowest = max(one.look_s for one in last)
        says = (
            f"approved {len(last)} of {len(last)} questions in a row, with at most "
            f"{slowest:.1f} seconds to look at each"
        )
        yield _fatigue(f"person:{person}", "quick", says, [one.index for one in last])
    if len(recent) > rules.questions_an_hour:
        yes = sum(one.yes for one in recent)
        says = (
            f"answered {counted(len(recent), 'question')} within {span(recent[-1].at - recent[0].at)}, "
            f"{yes:,} of them with yes"
        )
        yield _fatigue(f"person:{person}", "many", says, [one.index for one in recent])


def _fatigue(about: str, which: str, says: str, events: list[int]) -> Anomaly:
    return Anomaly(
        kind=FindingKind.APPROVAL_FATIGUE,
        about=about,
        which=which,
        says=says,
        severity=Severity.MEDIUM,
        events=tuple(events[-MOST_NAMED:]),
        facts={"answers": len(events)},
    )


def _bound(known: dict[str, Value], most: int, old: Callable[[Value], bool]) -> None:
    """Drop the first ones while they are old, or too many."""
    while known and (len(known) > most or old(next(iter(known.values())))):
        known.pop(next(iter(known)))
