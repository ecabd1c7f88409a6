# SPDX-License-Identifier: Apache-2.0
"""Break-glass: one person approves now what needs further people, and another person reviews it afterwards.

1. It is off unless the configuration names the group that may.
2. It approves what waits for people, and nothing else: there is no question about a call that a rule forbids,
   and everything is decided again when the approval is used.
3. The person is an approver of that group, never the requester, and states a reason.
4. The approval, its event and a finding are one commit. The finding stays open until the after-review.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.decisions.approvers import GivenAnswer, in_words
from remit.core.errors import Conflict, Forbidden, Malformed, NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.decisions import ApprovalDecided, GlassBroken
from remit.core.findings.finding import Finding, finding_id
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import Person, Role, person_of
from remit.ports.runtime import Clock
from remit.ports.store.changes import Credential, PutApproval
from remit.ports.store.combined import TasksAndSignIn
from remit.ports.store.units import Unit
from remit.services.decisions.approvals import Approvals
from remit.services.decisions.approvers import Approvers, Seat, check_shown, open_demands, signed_in_just_now
from remit.services.findings.findings import Findings
from remit.services.separation.sign_in_methods import hands_of

#: Fewest and most characters of the reason and of the review.
SHORTEST, LONGEST = 8, 2000
REVIEWERS = frozenset({Role.APPROVER, Role.AUDITOR})


class GlassRule(msgspec.Struct, frozen=True):
    """Who may break the glass: approvers of a group, after a sign-in of the last five minutes.

    `sign_in`: `passkey`, `any` method, or `none`: any session.
    """

    group: str
    sign_in: Literal["passkey", "any", "none"] = "passkey"


class BreakGlass:
    """Approves in place of the people that the rules demand, and takes the after-review."""

    def __init__(
        self,
        *,
        store: TasksAndSignIn,
        clock: Clock,
        tenant: str,
        approvals: Approvals,
        approvers: Approvers,
        findings: Findings,
        rule: GlassRule | None,
    ) -> None:
        """Take the dependencies; without a `rule` it is off."""
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._approvals = approvals
        self._approvers = approvers
        self._findings = findings
        self.rule = rule

    async def approve(
        self,
        approval_id: str,
        person: Person,
        reason: str,
        *,
        call: str = "",
        session: Credential | None = None,
    ) -> Approval:
        """Approve exactly this call, once, alone; raise `Forbidden`, `Conflict` or `Malformed`."""
        now = self._clock.now()
        found = await self._approvals.get(approval_id)
        check_shown(found, call)
        seat = await self._approvers.seat(found, person, "", now)
        self._check_rule(seat, session, found)
        _check_text(reason, "the reason")
        task = await self._store.task(self._tenant, found.task)
        await self._approvers.check_separate(task, seat, now)
        standing = await self._approvers.counting(found.answers, now)
        left = open_demands(found, standing)
        alone = open_demands(found, [(seat.answer(now, "", None), seat.authority.groups)])
        if not alone:
            raise Conflict(
                f"approval `{found.id}` needs no other person",
                code="no-glass",
                remediation="approve it as usual",
            )
        # Earlier answers may be about less than the whole call: this one stands alone.
        given = seat.answer(now, reason, None)
        asked = msgspec.structs.replace(
            found, answers=(given,), agreed_most=1, agreed_less={}, broken_glass=True
        )
        answered = asked.answered(person, True, now, reason)
        await self._record(found, answered, in_words(left, found.escalated))
        return answered

    def _check_rule(self, seat: Seat, session: Credential | None, found: Approval) -> None:
        rule = self.rule
        if rule is None:
            raise Forbidden(
                "break-glass is off",
                code="glass-off",
                remediation="ask the approvers that it needs; `approvals.break_glass` turns it on",
            )
        if rule.group not in seat.authority.groups:
            raise Forbidden(
                f"`{seat.person.name}` may not break the glass",
                code="glass-group",
                remediation=f"ask an approver of group `{rule.group}`",
            )
        strong = rule.sign_in == "passkey" or found.step_up
        fresh = signed_in_just_now(session, self._clock.now(), strong=strong)
        if not fresh and (strong or rule.sign_in == "any"):
            raise Forbidden(
                "break-glass needs a sign-in in the last five minutes"
                + (" with a passkey" if strong else ""),
                code="step-up",
                remediation="run `remit login`, and approve again",
            )

    async def _record(self, found: Approval, answered: Approval, missing: str) -> None:
        at, by = answered.decided or self._clock.now(), answered.decided_by
        facts = {
            "approval": found.id,
            "tool": found.tool,
            "task": found.task,
            "agent": found.agent,
            "missing": missing,
        }
        sighting = await self._findings.sighting(FindingKind.BROKEN_GLASS, f"person:{by}", found.id, facts)
        decided = ApprovalDecided(
            approval=found.id,
            state=answered.state.value,
            call=found.call,
            tool=found.tool,
            by=by,
            given=len(answered.answers),
            broken_glass=True,
            comment=answered.comment,
        )
        broken = GlassBroken(
            approval=found.id,
            call=found.call,
            tool=found.tool,
            missing=missing,
            finding=sighting.finding.id,
            by=by,
            reason=answered.comment,
        )
        events = tuple(
            Event.of(told, at=at, tenant=self._tenant, task=found.task, agent=found.agent, subject=by)
            for told in (decided, broken)
        )
        change = PutApproval(answered, expected=ApprovalState.PENDING, revision=found.revision)
        unit = sighting.unit
        await self._store.commit(Unit((change, *unit.changes), (*events, *unit.events)))
        self._approvals.tell(found.id)
        await self._findings.written(sighting)

    async def review(self, approval_id: str, person: Person, comment: str) -> Finding:
        """Record the after-review of another person, which resolves the finding.

        An approver or auditor reviews; neither the person who broke the glass, nor the requester, nor
        anyone who may be one of them because of a sign-in code. Raises `NotFound`, `Forbidden` or
        `Malformed`.
        """
        found = await self._approvals.get(approval_id)
        if not found.broken_glass:
            raise NotFound(
                f"no glass was broken for approval `{found.id}`", remediation="see `remit finding list`"
            )
        if not person.active or not REVIEWERS & person.roles:
            raise Forbidden(
                f"`{person.name}` may not review this",
                code="role",
                remediation="ask another approver or an auditor",
            )
        hands = await hands_of(self._store, self._tenant, person.name, self._clock.now())
        own = GivenAnswer(by=person.name, at=self._clock.now(), hands=tuple(sorted(hands - {person.name})))
        concerned = {found.requested_for, person_of(found.requested_by)}
        same = any(
            own.same_hand(one, strict=self._approvers.second_person)
            for one in found.answers
            if one.by == found.decided_by
        )
        if same or person.name in concerned:
            raise Forbidden(
                "another person reviews it: not the one who broke the glass, and not the requester",
                code="own-review",
                remediation="ask another approver or an auditor",
            )
        _check_text(comment, "the review")
        name = finding_id(FindingKind.BROKEN_GLASS, f"person:{found.decided_by}", found.id)
        return await self._findings.resolve(name, by=person.name, resolution=comment, reviewed=True)


def _check_text(text: str, what: str) -> None:
    if not SHORTEST <= len(text.strip()) <= LONGEST:
        raise Malformed(
            f"{what} is missing or too short", code="reason-required", remediation="say why, in a sentence"
        )
