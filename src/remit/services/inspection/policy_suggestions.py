# SPDX-License-Identifier: Apache-2.0
"""Suggest exceptions of rules that always ask and are always answered with yes. Nothing is applied.

INVARIANT: an agent cannot earn an exception by asking often. An exception is suggested only

1. for a rule that is in force as it was shown, and whose author lets one answer permit several calls
   (`@bounded`) of any one approver: all other rules are guardrails that people decide call by call;
2. for one agent, one tool and exactly the same arguments except for texts, in tasks that have read nothing
   that others may have written, and no data of a higher class than when people were asked;
3. where no person has denied, narrowed or withdrawn any question of that agent about that tool;
4. where people have read what they approved: answers in under two seconds do not count, one answer for each
   task counts, and they were given by several approvers, on several days, for several tasks;
5. where the changed policies load, and recorded calls would really have passed: what else would have passed
   is counted.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.decisions.decision import Outcome
from remit.core.decisions.question_report import UNREAD
from remit.core.errors import ConfigInvalid, Malformed
from remit.core.evidence.event import EventKind
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.policy.rule_exception import RuleException
from remit.ports.policy import RuleInForce
from remit.ports.store.approvals import ApprovalStore
from remit.services.decisions.approvals import MAX_COUNTED
from remit.services.evidence.log import Evidence
from remit.services.inspection.question_reports import MOST, newest
from remit.services.inspection.simulation import Simulations
from remit.services.policy.bundle import Policies

#: What people must have answered before an exception is suggested.
LEAST_ANSWERS: Final = 8
LEAST_APPROVERS: Final = 2
LEAST_DAYS: Final = 3
#: The largest share of answers in under two seconds: above it people do not read these questions.
MOST_UNREAD: Final = 0.2
#: Suggestions that are made at once: each is simulated.
MOST_SUGGESTED: Final = 5
_YES: Final = "approved"


class AnswerEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """How people answered such questions; `answers` were read and approved, one of each task."""

    answers: int
    questions: int
    unread: int
    approvers: tuple[str, ...]
    days: int
    tasks: int
    requesters: int
    median_s: float
    first: datetime
    last: datetime


class SuggestedException(msgspec.Struct, frozen=True, kw_only=True):
    """A policy change, as a diff of one file, with what speaks for it.

    Of the `read` recorded decisions, `passed` would have passed without a question; `unasked` of these are
    of questions that no person had approved.
    """

    rule: str
    exception: RuleException
    evidence: AnswerEvidence
    file: str
    text: str
    diff: str
    read: int
    passed: int
    unasked: int


class _Answered(NamedTuple):
    """A question, and how it ended; `took` is the time to a person's answer."""

    approval: Approval
    state: str
    at: datetime
    unread: bool


class PolicySuggestions:
    """Reads answers of people, and writes policy changes that would spare them such questions."""

    def __init__(
        self,
        *,
        log: Evidence,
        store: ApprovalStore,
        policies: Policies,
        simulations: Simulations,
        tenant: str,
    ) -> None:
        """Take the dependencies."""
        self._log = log
        self._store = store
        self._policies = policies
        self._simulations = simulations
        self._tenant = tenant

    async def suggested(self, limit: int, *, by: str = "") -> list[SuggestedException]:
        """Return the suggestions, the most asked first; the newest `limit` decisions are simulated.

        Raises `Busy` while another simulation runs.
        """
        bundle = self._policies.applied.bundle
        rules = {(one.id, one.digest): one for one in self._policies.applied.policy.rules()}
        groups: dict[str, list[_Answered]] = defaultdict(list)
        refused = await self._refused()
        for one in await self._answered():
            if one.state != _YES:  # 3
                refused.add((one.approval.agent, one.approval.tool))
            elif len(one.approval.rules) == 1 and one.approval.offer and not one.approval.approvers:  # 1
                groups[_key(one.approval)].append(one)
        out: list[SuggestedException] = []
        for found in sorted(groups.values(), key=len, reverse=True):
            first = found[0].approval
            rule = first.rules[0]
            in_force = rules.get((rule.id, rule.digest))
            evidence = _evidence(found)
            if in_force is None or evidence is None or (first.agent, first.tool) in refused:
                continue
            made = await self._made(bundle, in_force, found, evidence, limit, by)
            out += [made] if made is not None else []
            if len(out) == MOST_SUGGESTED:
                break
        return out

    async def _refused(self) -> set[tuple[str, str]]:
        """Return about which agent and tool people have said no, or less, of what the store keeps.

        An agent cannot add to these: however many questions it asks, none is pushed out of view.
        """
        return {
            (one.agent, one.tool)
            for state in (ApprovalState.DENIED, ApprovalState.NARROWED)
            for one in await self._store.approvals(self._tenant, state=state, limit=MAX_COUNTED)
        }

    async def _answered(self) -> list[_Answered]:
        """Return the questions that people answered, from the evidence, with what the store keeps of them."""
        asked: dict[str, tuple[datetime, str]] = {}
        ended: list[tuple[str, str, datetime]] = []
        kinds = (EventKind.APPROVAL_REQUESTED, EventKind.APPROVAL_DECIDED)
        async for entry, record in newest(self._log, MOST, kinds):
            facts, at = record["facts"], datetime.fromisoformat(record["at"])
            if entry.kind == EventKind.APPROVAL_REQUESTED.value:
                asked[facts["approval"]] = at, facts["call"]
            elif facts["state"] != "expired" and not facts.get("overtaken"):
                ended.append((facts["approval"], facts["state"], at))
        out = []
        for approval_id, state, at in ended:
            if approval_id not in asked:
                continue
            kept = await self._store.approval(self._tenant, approval_id)
            began, call = asked[approval_id]
            # The evidence says what was asked; the store only what it looked like.
            if kept is not None and (kept.call, kept.requested) == (call, began):
                out.append(_Answered(kept, state, at, at - began < UNREAD))
        return out

    async def _made(
        self,
        bundle: Bundle,
        rule: RuleInForce,
        found: Sequence[_Answered],
        evidence: AnswerEvidence,
        limit: int,
        by: str,
    ) -> SuggestedException | None:
        """Return a suggestion if its policies load, and recorded calls would have passed under them (5)."""
        try:
            exception = _exception(bundle, [one.approval for one in found])
            if exception is None:
                return None
            sources = self._policies.with_exception(bundle, rule, exception)
            candidate = msgspec.structs.replace(bundle, policies=sources, digest="suggested")
            simulated = await self._simulations.run(candidate, limit=limit, by=by)
        except (Malformed, ConfigInvalid):
            return None
        passed = [one for one in simulated.replay.flips.values() if one.after is Outcome.PERMIT]
        # INVARIANT: of the recorded calls, none is decided otherwise than from a question to a permit.
        flips = simulated.replay.flips.values()
        if not passed or len(passed) != len(flips) or any(one.before is Outcome.DENY for one in passed):
            return None
        many = sum(one.calls for one in passed)
        ((old, new),) = [(a, b) for a, b in zip(bundle.policies, sources, strict=True) if a is not b]
        return SuggestedException(
            rule=rule.id,
            exception=exception,
            evidence=evidence,
            file=new.file,
            text=new.text,
            diff=_diff(old, new),
            read=simulated.replay.read,
            passed=many,
            unasked=max(0, many - len({one.approval.id for one in found})),
        )


def _key(one: Approval) -> str:
    """Return what questions have in common that one exception would cover (2)."""
    assert one.offer is not None
    same = {name: one.arguments.get(name) for name in one.offer.same}
    parts = [one.agent, one.tool, [one.rules[0].id, one.rules[0].digest], same, one.offer.texts]
    return msgspec.json.encode(parts, order="sorted").decode()


def _evidence(found: Sequence[_Answered]) -> AnswerEvidence | None:
    """Return what speaks for an exception; None if it is not enough (4)."""
    read = [one for one in found if not one.unread]
    by_task: dict[str, _Answered] = {}
    for one in sorted(read, key=lambda one: one.at):
        by_task.setdefault(one.approval.task, one)
    counted = list(by_task.values())
    approvers = {one.approval.decided_by for one in counted}
    days = {one.at.date() for one in counted}
    unread = len(found) - len(read)
    if (
        len(counted) < LEAST_ANSWERS
        or len(approvers) < LEAST_APPROVERS
        or len(days) < LEAST_DAYS
        or unread > MOST_UNREAD * len(found)
    ):
        return None
    took = sorted((one.at - one.approval.requested).total_seconds() for one in counted)
    return AnswerEvidence(
        answers=len(counted),
        questions=len(found),
        unread=unread,
        approvers=tuple(sorted(approvers)),
        days=len(days),
        tasks=len(by_task),
        requesters=len({one.approval.requested_by for one in counted}),
        median_s=took[(len(took) - 1) // 2],
        first=counted[0].at,
        last=counted[-1].at,
    )


def _exception(bundle: Bundle, found: Sequence[Approval]) -> RuleException | None:
    """Return the exception of these questions; None if their arguments are not compared as a whole (2)."""
    first = found[0]
    assert first.offer is not None
    names = {*first.offer.same, *first.offer.texts}
    if names != set(first.arguments):
        return None  # a part of an argument differs from the rest of it
    labels = [one.offer.label for one in found if one.offer is not None]
    return RuleException(
        agent=first.agent,
        tool=first.tool,
        same={name: first.arguments[name] for name in first.offer.same},
        texts=first.offer.texts,
        class_level=max(bundle.classes.rank(one.data_class) for one in labels),
    )


def _diff(old: PolicySource, new: PolicySource) -> str:
    lines = difflib.unified_diff(
        old.text.splitlines(keepends=True),
        new.text.splitlines(keepends=True),
        f"a/{old.file}",
        f"b/{new.file}",
    )
    return "".join(lines)
