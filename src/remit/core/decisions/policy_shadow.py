# SPDX-License-Identifier: Apache-2.0
"""Policies that are shadowed: they decide beside those in force, and only the difference is kept.

What was answered is compared with what the candidate says of the same request. Only the policies' part
counts, as in a replay (`policy_replay`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from remit.core.canonical import digest
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision, Outcome, PolicyAnswer, weigh
from remit.core.decisions.policy_replay import (
    MAX_EXAMPLES,
    MAX_NAMES,
    POLICY_CODES,
    Flips,
    PolicyReplay,
    ReplayedCall,
)
from remit.core.evidence.event import timestamp
from remit.core.json_value import Json
from remit.core.policy.bundle import PolicySource, file_digest
from remit.core.tasks.history import HistoryCounter

FORMAT: Final = "remit-shadow/1"
#: Percent of one core that a shadow may use on each replica.
USUAL_SHARE: Final = 10
MOST_SHARE: Final = 50
#: What each code of a call that was not shadowed means.
NOT_SHADOWED: Final = {
    "queue-full": "more calls came than the share of the processor can decide",
    "not-ready": "the candidate could not be loaded",
    "failed": "the candidate gave no answer",
    "history-unknown": "a rule reads a counter that the policies in force do not have, or do not read",
}


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that is shadowed: its policies with their counters, author and reason, and its share of one
    core in percent.
    """

    id: str
    policies: tuple[PolicySource, ...]
    history: tuple[HistoryCounter, ...] = ()
    by: str
    reason: str
    since: str
    share: int = USUAL_SHARE

    @property
    def digest(self) -> str:
        """The digest of the candidate's policies and counters."""
        files = {one.file: file_digest(one.text.encode()) for one in self.policies}
        counted = {"history": msgspec.to_builtins(self.history)} if self.history else {}
        return digest({"format": FORMAT, "files": files, **counted})


class ShadowTally(msgspec.Struct, kw_only=True):
    """What one replica has counted: `against` are the bundles in force that decided beside the candidate.

    `fault` is why the candidate does not decide now; `since` and `until` bound the calls.
    """

    shadow: str = ""
    replica: str = ""
    replay: PolicyReplay = msgspec.field(default_factory=PolicyReplay)
    against: list[str] = []
    fault: str = ""
    remediation: str = ""
    since: str = ""
    until: str = ""
    computing_s: float = 0.0
    unrecorded: int = 0

    def between(self, at: datetime) -> None:
        """Note the time of a call."""
        now = timestamp(at)
        self.since = min(self.since or now, now)
        self.until = max(self.until, now)


def compared(request: AccessRequest, decision: Decision, after: PolicyAnswer) -> ReplayedCall | None:
    """Return a call with both outcomes; None where something else than a policy refused it.

    An approval counts for the candidate's rules of the same ids: the candidate would have asked, too.
    """
    if decision.outcome is Outcome.DENY and not {one.code for one in decision.reasons} <= POLICY_CODES:
        return None
    waived = {rule.id for rule in decision.waived}
    will, rules = weigh(
        after, frozenset(rule for rule in (*after.waivable, *after.asking) if rule.id in waived)
    )
    task = request.task
    return ReplayedCall(
        decision=decision.id,
        at=timestamp(request.now),
        tool=request.tool.id,
        agent=request.agent.name,
        person=task.on_behalf_of,
        task=task.id,
        task_type=task.type,
        before=decision.outcome,
        after=will,
        rules_before=tuple(rule.id for rule in decision.rules),
        rules_after=tuple(rule.id for rule in rules),
        why=tuple(one.text for one in after.reasons) or after.errors,
    )


def joined(tallies: Iterable[PolicyReplay]) -> PolicyReplay:
    """Return what several replicas have counted, as one."""
    whole = PolicyReplay()
    for one in tallies:
        whole.read += one.read
        whole.replayed += one.replayed
        whole.refused_elsewhere += one.refused_elsewhere
        whole.skipped.update(one.skipped)
        whole.same.update(one.same)
        for key, flips in one.flips.items():
            known = whole.flips.setdefault(
                key, Flips(before=flips.before, after=flips.after, more_permissive=flips.more_permissive)
            )
            known.calls += flips.calls
            for name in ("agents", "task_types", "people", "tools", "rules"):
                _add(getattr(known, name), getattr(flips, name))
            known.examples = sorted([*known.examples, *flips.examples], key=lambda call: call.at)[
                -MAX_EXAMPLES:
            ]
    return whole


def _add(counter: Counter[str], more: Counter[str]) -> None:
    for name, calls in more.items():
        if name in counter or len(counter) < MAX_NAMES:
            counter[name] += calls


def stored(tally: ShadowTally) -> Json:
    """Return a tally in the form that a store keeps."""
    return msgspec.to_builtins(tally)


def from_stored(value: Json) -> ShadowTally:
    """Return the tally whose stored form this is."""

    def read(kind: Any, given: Json) -> Counter[str]:
        return Counter(given)

    return msgspec.convert(value, ShadowTally, dec_hook=read)
