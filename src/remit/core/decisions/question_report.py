# SPDX-License-Identifier: Apache-2.0
"""Figures of questions to people, from recorded events: whether people still read what they approve.

People who are asked too often approve unread. Signs of that are answers within two seconds, a share of
approvals near one, and rules that ask about many of the calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

#: An answer within this time was not read.
UNREAD: Final = timedelta(seconds=2)
#: States of an approval that a person's answer gives it.
_ANSWERS: Final = ("approved", "narrowed", "denied")


class RuleFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How often one rule asked, and what was answered; `per_100_calls` is of all decided calls."""

    rule: str
    questions: int
    per_100_calls: float
    answered: int
    approved: int


class QuestionFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the questions in a part of the log.

    `calls` are the decided calls there. `approved` includes the `narrowed` ones; `unread` were answered in
    under two seconds. `overturned` refusals of a person were followed by an approval of the same call.
    `expired` had no answer in time, `withdrawn` were withdrawn by remit or a person, and `open` have no end
    in this part of the log. Times are in seconds; None: nothing was answered.
    """

    calls: int
    questions: int
    answered: int
    approved: int
    narrowed: int
    denied: int
    overturned: int
    unread: int
    expired: int
    withdrawn: int
    open: int
    median_s: float | None
    slowest_tenth_s: float | None
    share_approved: float | None
    share_unread: float | None
    per_100_calls: float | None
    rules: tuple[RuleFigures, ...]


class QuestionCount:
    """Reads events, the oldest first."""

    def __init__(self) -> None:
        """Begin without events."""
        self._calls = 0
        self._asked: dict[str, tuple[datetime, tuple[str, ...]]] = {}
        self._ends: dict[str, str] = {}
        self._times: dict[str, timedelta] = {}
        self._withdrawn: set[str] = set()
        #: Calls that a person has refused, and how many of these were then approved.
        self._refused: set[str] = set()
        self._overturned = 0

    def decided(self, facts: Mapping[str, Any]) -> None:
        """Count a decided call; what only looks like one (input to a call that goes on) counts, too."""
        self._calls += int(facts.get("count", 1))

    def asked(self, facts: Mapping[str, Any], at: datetime) -> None:
        """Count a question."""
        rules = tuple(dict.fromkeys(str(one[0]) for one in facts["rules"]))
        self._asked[facts["approval"]] = (at, rules)

    def ended(self, facts: Mapping[str, Any], at: datetime) -> None:
        """Count an answer, or another end, of a question that was counted."""
        approval, state = facts["approval"], facts["state"]
        if approval not in self._asked:
            return
        if state in _ANSWERS:
            self._times[approval] = at - self._asked[approval][0]
            self._ends[approval] = state
            if state == "denied":
                self._refused.add(facts["call"])
            elif facts["call"] in self._refused:
                self._refused.discard(facts["call"])
                self._overturned += 1
        elif state == "withdrawn":
            self._withdrawn.add(approval)
            self._ends.setdefault(approval, state)
        else:
            self._ends.setdefault(approval, state)

    def figures(self) -> QuestionFigures:
        """Return the figures so far."""
        ends = Counter(self._ends.values())
        times = sorted(one.total_seconds() for one in self._times.values())
        answered, approved = len(times), ends["approved"] + ends["narrowed"]
        unread = sum(1 for one in self._times.values() if one < UNREAD)
        return QuestionFigures(
            calls=self._calls,
            questions=len(self._asked),
            answered=answered,
            approved=approved,
            narrowed=ends["narrowed"],
            denied=ends["denied"],
            overturned=self._overturned,
            unread=unread,
            expired=ends["expired"],
            withdrawn=len(self._withdrawn),
            open=len(self._asked) - len(self._ends),
            median_s=times[(answered - 1) // 2] if times else None,
            slowest_tenth_s=times[(answered * 9 - 1) // 10] if times else None,
            share_approved=_share(approved, answered),
            share_unread=_share(unread, answered),
            per_100_calls=_per_100(len(self._asked), self._calls) if self._calls else None,
            rules=self._rules(),
        )

    def _rules(self) -> tuple[RuleFigures, ...]:
        asked: Counter[str] = Counter()
        answered: Counter[str] = Counter()
        approved: Counter[str] = Counter()
        for approval, (_, rules) in self._asked.items():
            asked.update(rules)
            if approval in self._times:
                answered.update(rules)
            if self._ends.get(approval) in ("approved", "narrowed"):
                approved.update(rules)
        return tuple(
            RuleFigures(
                rule=rule,
                questions=many,
                per_100_calls=_per_100(many, self._calls),
                answered=answered[rule],
                approved=approved[rule],
            )
            for rule, many in sorted(asked.items(), key=lambda one: (-one[1], one[0]))
        )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _per_100(part: int, calls: int) -> float:
    return round(100 * part / calls, 2) if calls else 0.0
