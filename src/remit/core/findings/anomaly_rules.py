# SPDX-License-Identifier: Apache-2.0
"""Anomalies, and the bounds of the rules that find them.

Each rule can be said in one sentence with its numbers, and rests on counts of committed events. No rule
scores, and none learns from anything but what an agent was permitted to do.
"""

from __future__ import annotations

from typing import Final

import msgspec

from remit.core.findings.kinds import FindingKind, Severity

HOUR_S: Final = 3600.0
DAY_S: Final = 86400.0
#: Most events that a finding names, and most names.
MOST_NAMED: Final = 20


class AnomalyRules(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of the rules; a kind that is not in `on` is not looked for.

    An agent is known after `learning_s` and `learning_calls` permitted calls, both. `own_findings` are the
    findings of one kind and severity that an agent gets in a week before further ones share one.
    """

    on: frozenset[FindingKind] = frozenset(
        {
            FindingKind.NEW_TOOL,
            FindingKind.NEW_DESTINATION,
            FindingKind.UNUSUAL_VOLUME,
            FindingKind.REFUSED_RETRIED,
            FindingKind.APPROVAL_FATIGUE,
        }
    )
    learning_s: float = 7 * DAY_S
    learning_calls: int = 100
    own_findings: int = 5
    #: An agent that learned more destinations than this sends to changing places: they are no anomaly.
    few_destinations: int = 20
    whole_addresses: bool = False
    volume_factor: int = 5
    volume_calls: int = 200
    refusals: int = 10
    refusals_before_permit: int = 3
    refusals_within_s: float = 600.0
    quick_answers: int = 10
    quick_s: float = 5.0
    questions_an_hour: int = 30


class Anomaly(msgspec.Struct, frozen=True, kw_only=True):
    """One anomaly: what it is about, its sentence, and the events that it rests on.

    `which` distinguishes anomalies of one kind about one thing. `facts` are what a person's answer rests on.
    """

    kind: FindingKind
    about: str
    which: str
    says: str
    severity: Severity
    events: tuple[int, ...]
    facts: dict[str, list[str] | int]


def span(seconds: float) -> str:
    """Return a length of time in words, in its largest unit."""
    for unit, length in (("day", DAY_S), ("hour", HOUR_S), ("minute", 60.0)):
        if seconds >= length:
            return counted(int(seconds // length), unit)
    return counted(max(1, int(seconds)), "second")


def counted(number: int, noun: str, nouns: str = "") -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"
