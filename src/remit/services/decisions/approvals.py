# SPDX-License-Identifier: Apache-2.0
"""Approvals: asking a person about one exact call, and recording the answer.

An approval is bound to the digest of task, tool and arguments, and to the exact rules that asked for it. It
permits that call once, before it expires, and only while its approver may still approve. Where the question
offered it, it permits a bounded number of calls that differ from the one shown in their texts alone. No
answer is a refusal.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol
from weakref import WeakValueDictionary

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.approval import Approval, ApprovalState, OvertakenBy
from remit.core.decisions.approvers import GivenAnswer
from remit.core.decisions.decision import Decision, Reason
from remit.core.decisions.narrowing import check_granted, narrowable
from remit.core.decisions.obligations import STEP_UP
from remit.core.decisions.value_sources import provenance_of
from remit.core.errors import Busy, ChangedMeanwhile, Forbidden, Malformed, NotFound
from remit.core.evidence.event import Event, timestamp
from remit.core.evidence.events.decisions import ApprovalAnswered, ApprovalDecided, ApprovalRequested
from remit.core.identity.principals import Person
from remit.core.ids import ID_BYTES, make_id
from remit.core.json_value import Json
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.approvals import ApprovalStore
from remit.ports.store.changes import Credential, PutApproval
from remit.ports.store.combined import TasksAndSignIn
from remit.ports.store.units import Unit
from remit.services.decisions.approvers import (
    Approvers,
    Seat,
    check_group,
    check_shown,
    open_demands,
    signed_in_just_now,
)
from remit.services.decisions.call_events import unsensitive

#: Seconds between two looks at a question whose answer another process may record.
LOOK_S: Final = 2.0
#: Limit of open questions of one task, so that people are not flooded.
MAX_PENDING = 20
#: Limit of open questions of one agent, however many tasks it has: a fifth of those that people are shown.
MAX_PENDING_OF_AGENT = 200
#: Limit of approvals in one state that are listed.
MAX_LISTED = 1000
#: Attempts at an answer when other people answer at the same moment.
TRIES = 5
#: Limit of approvals that are counted, or searched for those of a person.
MAX_COUNTED = 10_000


class AskedQuestion(NamedTuple):
    """A decision that waits for people, with its approval, and what must be committed for it.

    `is_new`: no open question was about the same call, on the same grounds.
    """

    decision: Decision
    unit: Unit
    is_new: bool = False


_ANSWERED: Final = (ApprovalState.APPROVED, ApprovalState.DENIED, ApprovalState.NARROWED)

_CHANGED: Final = {
    OvertakenBy.RULES: "the rules that ask are other ones now",
    OvertakenBy.PROVENANCE: "other sources of its values are known now",
    OvertakenBy.APPROVERS: "not all who gave it may still give it",
}


def _asks_the_same(one: Approval, request: AccessRequest, decision: Decision, provenance: str) -> bool:
    """Return whether an open question shows what a new one would show."""
    return (
        one.call == request.call_digest
        and frozenset(one.rules) == frozenset(decision.rules)
        and one.step_up >= (STEP_UP in decision.obligations)
        and one.provenance == provenance
        and one.approvers == decision.approvers
    )


def ended_alone(over: Approval, state: str, at: datetime, subject: str) -> Event:
    """Return the event of an approval that ended without a person."""
    ended = ApprovalDecided(
        approval=over.id,
        state=state,
        call=over.call,
        tool=over.tool,
        by="",
        comment="",
        overtaken=over.overtaken.value if over.overtaken else "",
    )
    return Event.of(ended, at=at, tenant=over.tenant, task=over.task, agent=over.agent, subject=subject)


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says to a question; the fields are the arguments of `Approvals.answer`."""

    approve: bool
    comment: str
    call: str
    most: int
    until: datetime | None
    narrow: Mapping[str, Json]
    session: Credential | None
    instead_of: str

    def check(self, found: Approval) -> None:
        """Refuse an answer that is about another call, or contradicts itself."""
        check_shown(found, self.call)
        if self.narrow and (not self.approve or self.most > 1):
            raise Malformed(
                "a narrowed answer approves one call",
                code="not-offered",
                remediation="approve without `most`, or leave `narrow` out",
            )


class _Rooms(ApprovalStore, TasksAndSignIn, Protocol):
    """The store interfaces that keep approvals and judge their approvers."""


class Approvals:
    """Asks for approvals, lists them, and records their answers."""

    def __init__(
        self,
        *,
        store: _Rooms,
        clock: Clock,
        entropy: Entropy,
        tenant: str,
        ttl_s: int,
        approvers: Approvers,
    ) -> None:
        """Take the dependencies; `ttl_s` is how long a question stays open."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant
        self._ttl_s = ttl_s
        self._approvers = approvers
        # An event exists for as long as a call waits for it.
        self._heard: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
        # A lock exists for as long as a task holds it or waits for it.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def turn(self, task_id: str) -> asyncio.Lock:
        """Return the lock of a task's questions: held from `asking` until its result is committed.

        Without it, calls that are deferred at the same moment would not see each other's questions: one call
        could ask two questions, and the limit of open questions would not hold.
        """
        found = self._turns.get(task_id)
        if found is None:
            found = self._turns[task_id] = asyncio.Lock()
        return found

    async def asking(
        self,
        request: AccessRequest,
        decision: Decision,
        overtaken: Sequence[tuple[Approval, OvertakenBy]] = (),
    ) -> AskedQuestion:
        """Return the decision with the approval that a deferred call waits for, and what must be committed.

        The same call under the same rules, with the same provenance, asks only one question, however often it
        is tried. What was asked or approved on other grounds is withdrawn: the `overtaken` approvals, and
        open questions about the same call. The caller holds the task's `turn`.
        """
        provenance = provenance_of(request, sorted({one.argument for one in decision.questioned}))
        pending = await self._store.approvals(
            self._tenant, task=request.task.id, state=ApprovalState.PENDING, limit=MAX_PENDING + 1
        )
        live = [one for one in pending if request.now < one.expires]
        same = next((one for one in live if _asks_the_same(one, request, decision, provenance)), None)
        gone = [
            (one, OvertakenBy.PROVENANCE if set(one.rules) == set(decision.rules) else OvertakenBy.RULES)
            for one in live
            if one is not same and one.call == request.call_digest
        ]
        for one, why in overtaken:
            known = await self._store.approval(self._tenant, one.id)
            gone += [(known, why)] if known is not None and known.is_live(request.now) else []
        unit, reasons = self._overtaken(gone, request)
        decision = msgspec.structs.replace(decision, reasons=(*decision.reasons, *reasons))
        is_new = same is None
        if same is None:
            if sum(1 for one in live if all(one is not each for each, _ in gone)) >= MAX_PENDING:
                raise Busy(
                    f"task `{request.task.id}` has {MAX_PENDING} pending approvals",
                    remediation="wait for answers",
                )
            since = request.now - timedelta(seconds=self._ttl_s)
            many = await self._store.open_questions(self._tenant, request.agent.name, since)
            if many >= MAX_PENDING_OF_AGENT:
                raise Busy(
                    f"agent `{request.agent.name}` has {many} pending approvals",
                    remediation="wait for answers",
                )
            same, asked = self._question(request, decision, provenance)
            unit = Unit((*unit.changes, *asked.changes), (*unit.events, *asked.events))
        return AskedQuestion(msgspec.structs.replace(decision, approval=same.id), unit, is_new)

    async def is_answered(self, request: AccessRequest) -> bool:
        """Return whether a person has answered exactly this call, and the answer was not used yet."""
        found = await self._store.approvals(self._tenant, task=request.task.id, call=request.call_digest)
        return any(one.state in _ANSWERED and request.now < one.expires for one in found)

    def _overtaken(
        self, gone: Sequence[tuple[Approval, OvertakenBy]], request: AccessRequest
    ) -> tuple[Unit, list[Reason]]:
        """Return what withdraws approvals and questions that rest on other grounds, and the reasons."""
        changes: list[PutApproval] = []
        events: list[Event] = []
        reasons: list[Reason] = []
        for one, why in gone:
            over = msgspec.structs.replace(one.expired(request.now), overtaken=why)
            changes.append(PutApproval(over, expected=one.state, revision=one.revision))
            events.append(ended_alone(over, "withdrawn", request.now, request.task.subject))
            what = "answer" if one.state is ApprovalState.APPROVED else "question"
            reasons.append(
                Reason(
                    code="approval-withdrawn",
                    text=f"the {what} `{one.id}` about this call is withdrawn, because {_CHANGED[why]}",
                    rule=f"approval {one.id}",
                    remediation="wait for the answer to the new question",
                )
            )
        return Unit(tuple(changes), tuple(events)), reasons

    def _question(self, request: AccessRequest, decision: Decision, provenance: str) -> tuple[Approval, Unit]:
        """Return a new question, and what must be committed for it."""
        approval = Approval(
            tenant=self._tenant,
            id=make_id("apr", self._entropy.bytes(ID_BYTES)),
            task=request.task.id,
            agent=request.agent.name,
            requested_for=request.task.on_behalf_of,
            requested_by=request.task.intent.requested_by,
            tool=request.tool.id,
            call=request.call_digest,
            arguments=unsensitive(request.tool, request.arguments),
            rules=decision.rules,
            reasons=(
                *(reason.text for reason in decision.reasons),
                *((f"in the agent's own words: {request.stated_reason}",) if request.stated_reason else ()),
            ),
            questioned=decision.questioned,
            offer=decision.offer,
            step_up=STEP_UP in decision.obligations,
            narrowable=narrowable(request),
            provenance=provenance,
            approvers=decision.approvers,
            requested=request.now,
            expires=min(request.now + timedelta(seconds=self._ttl_s), request.task.deadline),
        )
        asked = ApprovalRequested(
            approval=approval.id,
            tool=approval.tool,
            call=approval.call,
            rules=[[rule.id, rule.digest] for rule in approval.rules],
            arguments=approval.arguments,
        )
        event = Event.of(
            asked,
            at=request.now,
            tenant=self._tenant,
            task=approval.task,
            agent=approval.agent,
            subject=request.task.subject,
        )
        return approval, Unit((PutApproval(approval),), (event,))

    def lapsing(self, question: Approval, request: AccessRequest) -> Unit:
        """Return what must be committed when a question is over without an answer: its end, recorded once.

        The caller holds the task's `turn`.
        """
        over = question.expired(question.expires)
        event = ended_alone(over, over.state.value, request.now, request.task.subject)
        return Unit((PutApproval(over, expected=ApprovalState.PENDING),), (event,))

    async def get(self, approval_id: str) -> Approval:
        """Return an approval, as expired if its time is over; raise `NotFound`."""
        found = await self.find(approval_id)
        if found is None:
            raise NotFound(
                f"approval `{approval_id[:80]}` does not exist", remediation="see `remit approvals`"
            )
        return found

    async def find(self, approval_id: str) -> Approval | None:
        """Return an approval, as expired if its time is over; `None` if there is none."""
        found = await self.stored(approval_id)
        return self._current(found) if found else None

    async def stored(self, approval_id: str) -> Approval | None:
        """Return an approval as it is recorded, also if its time is over; `None` if there is none."""
        return await self._store.approval(self._tenant, approval_id)

    async def settled(self, approval_id: str, wait_s: float) -> Approval | None:
        """Return an approval once it is no longer pending, or after so many seconds as it stands.

        An answer that is given in this process is heard at once; one that another replica has recorded, or
        the end of the task, within `LOOK_S`.
        """
        until_s = self._clock.boot_s() + wait_s
        heard = self._heard.setdefault(approval_id, asyncio.Event())
        while True:
            found = await self.find(approval_id)
            left_s = until_s - self._clock.boot_s()
            if found is None or found.state is not ApprovalState.PENDING or left_s <= 0:
                return found
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, LOOK_S)):
                    await heard.wait()

    def tell(self, approval_id: str) -> None:
        """Wake those who wait for an answer."""
        if (heard := self._heard.get(approval_id)) is not None:
            heard.set()

    async def waiting(self) -> int:
        """Return the number of pending approvals."""
        found = await self.newest(ApprovalState.PENDING, limit=MAX_COUNTED)
        return sum(one.state is ApprovalState.PENDING for one in found)

    async def newest(
        self, state: ApprovalState, *, task: str = "", limit: int = MAX_LISTED, skip: int = 0, length: int = 0
    ) -> list[Approval]:
        """Return approvals that are stored in a state, newest first, each as it stands now.

        Texts of more than `length` bytes are left out: agents write them, and one list would read many.
        """
        found = await self._store.approvals(
            self._tenant, task=task, state=state, limit=limit, skip=skip, length=length
        )
        return [self._current(one) for one in found]

    async def listed(self, state: ApprovalState | None = None, task: str = "") -> list[Approval]:
        """Return approvals, newest first: all pending ones, and the newest of the others."""
        found = await self._store.approvals(self._tenant, task=task)
        # Pending ones are listed however many came later: a question that scrolled away would expire unseen.
        wanted = state if state is not None and state is not ApprovalState.EXPIRED else ApprovalState.PENDING
        found += await self._store.approvals(self._tenant, task=task, state=wanted, limit=MAX_LISTED)
        listed = sorted({one.id: one for one in found}.values(), key=lambda one: (one.requested, one.id))
        current = [self._current(one) for one in reversed(listed)]
        return [one for one in current if state is None or one.state is state]

    async def answer(
        self,
        approval_id: str,
        person: Person,
        *,
        approve: bool,
        comment: str = "",
        call: str = "",
        most: int = 1,
        until: datetime | None = None,
        narrow: Mapping[str, Json] | None = None,
        session: Credential | None = None,
        instead_of: str = "",
    ) -> Approval:
        """Record a person's answer; raise `Forbidden`, `Conflict` or `Malformed` if it is not admissible.

        `call` is the digest of the call that the person was shown; empty: not stated. The answer permits at
        most so many calls `until` a moment; None: the end of what the question offers. With `narrow` (values
        by argument) it permits the call with these arguments, in place of the one that was asked; the
        approval that is returned is the one of the narrower call. `session` is the person's, by which a
        question that needs a fresh sign-in is judged. `instead_of` is the absent approver in whose place the
        person answers.

        1. The person, and the absent one, may answer: role, group, and never the requester.
        2. One denial denies. A yes joins the earlier ones that still count, of other people, about the same.
        3. Until all people that the rules demand have approved it, the question stays pending, and permits
           nothing.
        """
        answer = _Answer(
            approve=approve,
            comment=comment,
            call=call,
            most=most,
            until=until,
            narrow=narrow or {},
            session=session,
            instead_of=instead_of,
        )
        for left in reversed(range(TRIES)):
            try:
                return await self._answered(approval_id, person, answer)
            except ChangedMeanwhile:
                # Another person has answered at this moment: judge the answer again beside theirs.
                if not left:
                    raise
        raise AssertionError("unreachable")

    async def _answered(self, approval_id: str, person: Person, answer: _Answer) -> Approval:
        now = self._clock.now()
        found = await self.get(approval_id)
        answer.check(found)
        seat = await self._approvers.seat(found, person, answer.instead_of, now)
        standing = await self._approvers.counting(found.answers, now)
        check_group(found, seat, standing, approve=answer.approve)
        if not answer.approve:
            denied = found.answered(person, False, now, answer.comment, most=answer.most, until=answer.until)
            return await self._ended_by(denied, seat, found)
        if found.step_up and not signed_in_just_now(answer.session, now):
            raise Forbidden(
                "this approval needs a sign-in with a passkey in the last five minutes",
                code="step-up",
                remediation="run `remit login`, sign in with a passkey at the browser, and answer again",
            )
        task = await self._store.task(self._tenant, found.task)
        await self._approvers.check_separate(task, seat, now)
        asked = found.with_answer(
            seat.answer(now, answer.comment, answer.until),
            [one for one, _ in standing],
            most=answer.most,
            less=answer.narrow,
            strict=self._approvers.second_person,
        )
        if open_demands(asked, [*standing, _own(asked, seat)]):
            return await self._joined(asked, seat, found)
        until = asked.agreed_until
        if not answer.narrow:
            given = asked.answered(person, True, now, answer.comment, most=answer.most, until=until)
            return await self._ended_by(given, seat, found)
        made = make_id("apr", self._entropy.bytes(ID_BYTES))
        question, narrower = asked.answered_with_less(
            person, answer.narrow, now, id=made, comment=answer.comment, until=until
        )
        check_granted(narrower.tool, narrower.arguments, task.grants if task is not None else ())
        return await self._ended_by(question, seat, found, narrower)

    async def _joined(self, asked: Approval, seat: Seat, found: Approval) -> Approval:
        """Record a yes that needs further ones; those who wait hear nothing."""
        given = asked.answers[-1]
        told = ApprovalAnswered(
            approval=asked.id,
            call=asked.call,
            tool=asked.tool,
            given=len(asked.answers),
            needed=asked.needed,
            most=asked.agreed_most,
            narrowed=sorted(asked.agreed_less),
            until=timestamp(given.until) if given.until else "",
            by=given.by,
            instead_of=given.instead_of,
            comment=given.comment,
        )
        change = PutApproval(asked, expected=ApprovalState.PENDING, revision=found.revision)
        event = self._event(told, asked, given.at, seat.person.name)
        await self._store.commit(Unit((change,), (event,)))
        return asked

    async def _ended_by(
        self, answered: Approval, seat: Seat, found: Approval, narrower: Approval | None = None
    ) -> Approval:
        """Record the answer that ends a question, and wake those who wait for it."""
        at = answered.decided or self._clock.now()
        event = self._decided(answered, answered.state.value, seat.person, at, narrower, seat.instead_of)
        change = PutApproval(answered, expected=ApprovalState.PENDING, revision=found.revision)
        more = (PutApproval(narrower),) if narrower is not None else ()
        await self._store.commit(Unit((change, *more), (event,)))
        self.tell(answered.id)
        return narrower or answered

    async def withdraw(self, approval_id: str, person: Person, *, comment: str = "") -> Approval:
        """Withdraw an approval that was given and is not used up; any approver may.

        Raises `Forbidden` or `Conflict`. A call that was permitted before stays permitted.
        """
        now = self._clock.now()
        found = await self.get(approval_id)
        async with self.turn(found.task):
            found = await self.get(approval_id)
            gone = found.withdrawn(person, now, comment)
            event = self._decided(gone, "withdrawn", person, now)
            change = PutApproval(gone, expected=ApprovalState.APPROVED, revision=found.revision)
            await self._store.commit(Unit((change,), (event,)))
        return gone

    def _decided(
        self,
        approval: Approval,
        state: str,
        person: Person,
        now: datetime,
        narrower: Approval | None = None,
        instead_of: str = "",
    ) -> Event:
        """Return the event of what a person decided about an approval."""
        decided = ApprovalDecided(
            approval=approval.id,
            state=state,
            call=approval.call,
            tool=approval.tool,
            by=person.name,
            instead_of=instead_of,
            comment=approval.comment,
        )
        if approval.needed > 1 and state in ("approved", "narrowed"):
            decided.given = len(approval.answers)
        if approval.bounds is not None and approval.offer is not None:
            decided.most = approval.bounds.most
            decided.until = timestamp(approval.bounds.until)
            decided.same = list(approval.offer.same)
            decided.used = approval.used
        if narrower is not None:
            decided.instead = narrower.id
            decided.instead_call = narrower.call
            decided.narrowed = list(narrower.narrowed)
        return self._event(decided, approval, now, person.name)

    def _event(
        self, told: ApprovalAnswered | ApprovalDecided, approval: Approval, at: datetime, subject: str
    ) -> Event:
        return Event.of(
            told,
            at=at,
            tenant=self._tenant,
            task=approval.task,
            agent=approval.agent,
            subject=subject,
        )

    async def withdrawn(self, tasks: Sequence[str]) -> list[tuple[ApprovalState, Approval]]:
        """Return the open approvals of ended tasks, marked as expired now, each with its previous state.

        The caller commits them.
        """
        found, now = await self._store.open_approvals(self._tenant, tasks), self._clock.now()
        return [(one.state, one.expired(now)) for one in found]

    async def given_by(self, person: str) -> list[PutApproval]:
        """Return the changes that expire a person's unused approvals, and take back the person's yes to
        questions that wait for further people.

        For a caller that withdraws the person's right to approve, and commits them. A `Conflict` then means
        that one was used or answered in the meantime.
        """
        now = self._clock.now()
        gone = [
            PutApproval(one.expired(now), expected=one.state, revision=one.revision)
            for one in await self._live(ApprovalState.APPROVED, now)
            if person == one.decided_by or any(person in each.people for each in one.answers)
        ]
        return gone + [
            PutApproval(one.without_answers_of(person), expected=one.state, revision=one.revision)
            for one in await self._live(ApprovalState.PENDING, now)
            if any(person in each.people for each in one.answers)
        ]

    async def _live(self, state: ApprovalState, now: datetime) -> list[Approval]:
        found = await self._store.approvals(self._tenant, state=state, limit=MAX_COUNTED)
        return [one for one in found if now < one.expires]

    def _current(self, approval: Approval) -> Approval:
        open_states = (ApprovalState.PENDING, ApprovalState.APPROVED)
        if approval.state in open_states and self._clock.now() >= approval.expires:
            return approval.expired(approval.expires)
        return approval


def _own(asked: Approval, seat: Seat) -> tuple[GivenAnswer, tuple[str, ...]]:
    """Return the newest answer, with the groups of its authority."""
    return asked.answers[-1], seat.authority.groups
