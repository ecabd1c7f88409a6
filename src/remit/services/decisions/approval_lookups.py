# SPDX-License-Identifier: Apache-2.0
"""Answers of people that count for a deferred call: an approval, a denial, or a narrower call."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.approval import Approval, ApprovalState, OvertakenBy
from remit.core.decisions.bounded_approval import covers, scope_of
from remit.core.decisions.bounds import NarrowerCall
from remit.core.decisions.decision import PolicyAnswer, Reason, RuleRef
from remit.core.decisions.narrowing import settled
from remit.core.decisions.value_sources import provenance_of
from remit.core.label import Classes
from remit.core.tools.constraint import shown
from remit.ports.store.approvals import ApprovalStore
from remit.ports.store.changes import UseApproval
from remit.services.decisions.approvers import Approvers

MAX_BOUNDED = 200
"""Most unused approvals of a task among which a bounded one is looked for; the newest count."""


def use_of(approval: Approval, request: AccessRequest, now: datetime) -> UseApproval:
    """Return the change that uses an approval for a call that it permits."""
    call = request.call_digest
    if approval.usable_for(call, now):
        return UseApproval(approval.id, call, now)
    return UseApproval(approval.id, call, now, scope=scope_of(request), used=approval.used)


class StandingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An approval with the rules that it waives; or why the question is not asked again; or neither.

    `lapsed` is a question that ended without an answer, which the agent has not been told yet. `overtaken`
    are approvals of this call that rest on something else than the decision does now.
    """

    approval: Approval | None = None
    waived: frozenset[RuleRef] = frozenset()
    refusal: Reason | None = None
    instead: NarrowerCall | None = None
    lapsed: Approval | None = None
    overtaken: tuple[tuple[Approval, OvertakenBy], ...] = ()


NO_ANSWER = StandingAnswer()


class Answers(Protocol):
    """Knows what people have answered."""

    async def to(
        self, request: AccessRequest, answer: PolicyAnswer, rules: tuple[RuleRef, ...], classes: Classes
    ) -> StandingAnswer:
        """Return what people have answered to a call that these rules defer."""
        ...


class StandingAnswers:
    """Finds the answer that people have given to a call."""

    def __init__(self, store: ApprovalStore, approvers: Approvers, tenant: str) -> None:
        """Take the store, and what knows who may still approve."""
        self._store = store
        self._approvers = approvers
        self._tenant = tenant

    async def to(
        self, request: AccessRequest, answer: PolicyAnswer, rules: tuple[RuleRef, ...], classes: Classes
    ) -> StandingAnswer:
        """Return what people have answered to a call that these rules defer.

        A usable approval is one of exactly this call, or a bounded one that covers it.
        """
        found = await self._of_call(request, ApprovalState.APPROVED)
        exact = [one for one in found if one.usable_for(request.call_digest, request.now)]
        overtaken = _overtaken(exact, request, answer, rules)
        gone = {one.id for one, _ in overtaken}
        exact = [one for one in exact if one.id not in gone]
        if (given := await self._standing(exact, request, answer, rules)) is not NO_ANSWER:
            return given
        overtaken += tuple((one, OvertakenBy.APPROVERS) for one in exact)
        # INVARIANT: who has answered this very call with no, or with less, is not overruled by a wider answer
        if (refused := await self._refused(request, rules)) is not NO_ANSWER:
            return refused
        found = await self._store.approvals(
            self._tenant, task=request.task.id, state=ApprovalState.APPROVED, limit=MAX_BOUNDED
        )
        covering = [
            one
            for one in found
            if one.bounds is not None
            and one.offer is not None
            and one.tool == request.tool.id
            and one.is_live(request.now)
            and covers(one.offer, request, classes)
        ]
        found_one = await self._standing(covering, request, answer, rules)
        return found_one if found_one is not NO_ANSWER else StandingAnswer(overtaken=overtaken)

    async def _of_call(self, request: AccessRequest, state: ApprovalState) -> list[Approval]:
        return await self._store.approvals(
            self._tenant, task=request.task.id, call=request.call_digest, state=state
        )

    async def _standing(
        self,
        found: Iterable[Approval],
        request: AccessRequest,
        answer: PolicyAnswer,
        rules: tuple[RuleRef, ...],
    ) -> StandingAnswer:
        """Return the first approval that waives these rules, and whose approvers may still approve."""
        wanted = frozenset(rules)
        for approval in found:
            waived = _waived(approval, request, answer)
            if waived >= wanted and await self._approvers.stands(approval, answer.approvers):
                return StandingAnswer(approval=approval, waived=waived)
        return NO_ANSWER

    async def _refused(self, request: AccessRequest, rules: tuple[RuleRef, ...]) -> StandingAnswer:
        """Return why not to ask again, where a person has answered this exact call under these exact rules
        with no, or with less.

        Such an answer counts for as long as the question would have been open; repeated questions cannot wear
        people down.
        """
        wanted = frozenset(rules)
        for state in (ApprovalState.DENIED, ApprovalState.NARROWED):
            for one in await self._of_call(request, state):
                if request.now < one.expires and frozenset(one.rules) >= wanted:
                    if state is ApprovalState.NARROWED:
                        return await self._narrowed(one, request)
                    return StandingAnswer(refusal=_refusal(one, "denied", "a person has denied this call"))
        return await self._lapsed(request, wanted)

    async def _lapsed(self, request: AccessRequest, wanted: frozenset[RuleRef]) -> StandingAnswer:
        """Return that the question about this call is over without an answer; the agent is told that once."""
        for one in await self._of_call(request, ApprovalState.PENDING):
            if one.expires <= request.now and frozenset(one.rules) >= wanted:
                until = one.expires.isoformat(timespec="seconds")
                reason = Reason(
                    code="unanswered",
                    text=f"no person has answered by {until}, so this call is refused",
                    rule=f"approval {one.id}",
                    remediation="tell your person that no one answered; the next call asks again",
                )
                return StandingAnswer(refusal=reason, lapsed=one)
        return NO_ANSWER

    async def _narrowed(self, question: Approval, request: AccessRequest) -> StandingAnswer:
        """Return what was permitted instead of a call, as long as it still can be called."""
        given = await self._store.approval(self._tenant, question.instead)
        if given is None or not given.is_live(request.now):
            text = "a person has permitted less than this call, and that approval is used up or over"
            return StandingAnswer(refusal=_refusal(question, "narrowed", text))
        less = " and ".join(f"`{shown(name)}`" for name in given.narrowed)
        return StandingAnswer(
            refusal=Reason(
                code="narrowed",
                text=f"a person has permitted less than this call: a narrower {less}",
                rule=f"approval {given.id}",
                remediation="call again with exactly the arguments that were permitted",
            ),
            instead=NarrowerCall(
                approval=given.id,
                arguments=given.arguments,
                changed=given.narrowed,
                expires=given.expires,
            ),
        )


def _waived(approval: Approval, request: AccessRequest, answer: PolicyAnswer) -> frozenset[RuleRef]:
    rules = frozenset(approval.rules)
    return rules | settled(approval.narrowed, request, answer) if approval.narrowed else rules


def _overtaken(
    found: Iterable[Approval], request: AccessRequest, answer: PolicyAnswer, rules: tuple[RuleRef, ...]
) -> tuple[tuple[Approval, OvertakenBy], ...]:
    """Return the approvals of a call that show other rules, or another provenance, than the call has now."""
    out: list[tuple[Approval, OvertakenBy]] = []
    for one in found:
        if not _waived(one, request, answer) >= frozenset(rules):
            out.append((one, OvertakenBy.RULES))
        elif one.provenance != provenance_of(request, one.asked_about):
            out.append((one, OvertakenBy.PROVENANCE))
    return tuple(out)


def _refusal(question: Approval, code: str, text: str) -> Reason:
    until = question.expires.isoformat(timespec="seconds")
    return Reason(
        code=code,
        text=text,
        rule=f"approval {question.id}",
        remediation=f"it can be requested again after {until}",
    )
