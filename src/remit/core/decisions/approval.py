# SPDX-License-Identifier: Apache-2.0
"""Approvals: a person's answer to one exact call and the exact rules that deferred it. It counts once, or for
so many calls like it as the person chose, and expires. A person may permit less than was asked.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from remit.core.decisions.access_request import call_digest
from remit.core.decisions.approvers import ApproverDemand, GivenAnswer, needed
from remit.core.decisions.bounds import BoundedOffer, Bounds
from remit.core.decisions.decision import RuleRef
from remit.core.decisions.narrowing import NarrowedBy, narrowed
from remit.core.decisions.question import QuestionedValue
from remit.core.errors import Conflict, Forbidden, Malformed
from remit.core.identity.principals import Person, Role, person_of
from remit.core.json_value import Json
from remit.core.tools.constraint import shown


def may_approve(person: Person) -> bool:
    """Return whether a person may approve: the person is active and has the role approver."""
    return person.active and Role.APPROVER in person.roles


class ApprovalState(enum.StrEnum):
    """State transitions: pending -> approved -> consumed; pending -> denied | narrowed | expired;
    approved -> expired. A question is narrowed where its answer permits another call, which is narrower.
    """

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    NARROWED = "narrowed"
    EXPIRED = "expired"
    CONSUMED = "consumed"


class OvertakenBy(enum.StrEnum):
    """What has changed since a person was shown a question, so that its answer counts no more.

    `approvers`: not all who gave the approval may still give it. `agent`: the agent does not want the call
    any more.
    """

    RULES = "rules"
    PROVENANCE = "provenance"
    APPROVERS = "approvers"
    AGENT = "agent"


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a human's answer, and the answer.

    `call` is the digest of task, tool and arguments. `rules` are exactly the rules that the human was shown.
    `questioned` are the values in question, each with its source. `expires` is the end of the time in which
    the request may be answered and used, or the time at which it expired. `requested_for` is the person
    behind the task, `requested_by` the person who stated its intent: neither ever answers. `offer` is what an
    answer may permit beyond the call (None: nothing), `bounds` what the approver chose of it, and `used` the
    number of calls that it has permitted. `step_up`: only a person who has just signed in with a passkey may
    approve. `narrowable` are the arguments that an answer may narrow. `instead` of a narrowed question is the
    approval that permits the narrower call; `narrows` of that approval is the question, and `narrowed` names
    the arguments whose values its approver wrote. `provenance` is the digest of the known sources of the
    values in question. `overtaken` says why remit has withdrawn it, if it has.

    `approvers` are the people that the rules demand; empty: one approver. `answers` are the yeses so far; all
    of them are about the same: up to `agreed_most` calls, with the values of `agreed_less` in place of the
    ones that were asked about. `escalated` are the groups that may answer, too, because the question was open
    for long. `broken_glass`: one person has approved it in place of those people. `revision`
    rises with each answer, each escalation and each use.
    """

    tenant: str
    id: str
    task: str
    agent: str
    requested_for: str
    tool: str
    call: str
    arguments: dict[str, Json]
    rules: tuple[RuleRef, ...]
    reasons: tuple[str, ...] = ()
    questioned: tuple[QuestionedValue, ...] = ()
    state: ApprovalState = ApprovalState.PENDING
    requested: datetime
    expires: datetime
    decided: datetime | None = None
    decided_by: str = ""
    comment: str = ""
    requested_by: str = ""
    offer: BoundedOffer | None = None
    bounds: Bounds | None = None
    used: int = 0
    step_up: bool = False
    narrowable: dict[str, NarrowedBy] = {}
    instead: str = ""
    narrows: str = ""
    narrowed: tuple[str, ...] = ()
    provenance: str = ""
    overtaken: OvertakenBy | None = None
    approvers: tuple[ApproverDemand, ...] = ()
    answers: tuple[GivenAnswer, ...] = ()
    agreed_most: int = 1
    agreed_less: dict[str, Json] = {}
    escalated: tuple[str, ...] = ()
    broken_glass: bool = False
    revision: int = 0

    @property
    def needed(self) -> int:
        """The number of people who must approve it, where each belongs to one group."""
        return needed(self.approvers)

    @property
    def asked_about(self) -> tuple[str, ...]:
        """The arguments whose values are in question, and were written by no approver."""
        return tuple(sorted({one.argument for one in self.questioned} - set(self.narrowed)))

    @property
    def subject(self) -> str:
        """The data subject of the question, whose key seals it."""
        return self.requested_for or person_of(self.requested_by) or self.agent

    @property
    def left(self) -> int:
        """The number of calls that it still permits."""
        if self.state is not ApprovalState.APPROVED:
            return 0
        return (self.bounds.most if self.bounds else 1) - self.used

    def answered(
        self,
        person: Person,
        approve: bool,
        now: datetime,
        comment: str = "",
        *,
        most: int = 1,
        until: datetime | None = None,
    ) -> Approval:
        """Return the approval with a person's answer, for at most so many calls until this moment.

        Refuses a person who may not answer (`Forbidden`), an answer that comes too late (`Conflict`), and one
        that permits more than the question offers (`Malformed`).
        """
        self.check_answerable((person,), now)
        bounds = self._bounds(approve, most, until, now)
        return msgspec.structs.replace(
            self,
            state=ApprovalState.APPROVED if approve else ApprovalState.DENIED,
            decided=now,
            decided_by=person.name,
            comment=comment,
            bounds=bounds,
            revision=self.revision + 1,
            expires=bounds.until if bounds else until or self.expires,
        )

    def answered_with_less(
        self,
        person: Person,
        wanted: Mapping[str, Json],
        now: datetime,
        *,
        id: str,
        comment: str = "",
        until: datetime | None = None,
    ) -> tuple[Approval, Approval]:
        """Return the question as narrowed, and the approval `id` of the narrower call.

        Raises like `answered`, and `Malformed` for what is not proven to be narrower.
        """
        arguments = narrowed(self.arguments, self.narrowable, wanted)
        given = msgspec.structs.replace(
            self.answered(person, True, now, comment, until=until),
            id=id,
            arguments=arguments,
            call=call_digest(self.task, self.tool, arguments),
            questioned=tuple(one for one in self.questioned if one.argument not in wanted),
            offer=None,
            narrowable={},
            narrows=self.id,
            narrowed=tuple(sorted(wanted)),
        )
        question = msgspec.structs.replace(
            self,
            state=ApprovalState.NARROWED,
            decided=now,
            decided_by=person.name,
            comment=comment,
            instead=id,
            revision=self.revision + 1,
        )
        return question, given

    def check_answerable(self, people: Iterable[Person], now: datetime) -> None:
        """Refuse people who may not answer (`Forbidden`), and an answer that comes too late (`Conflict`)."""
        for person in people:
            _check_approver(person)
            if person.name in (self.requested_for, self.requested_by):
                raise Forbidden("the requester cannot approve", remediation="ask another approver")
        if self.state is not ApprovalState.PENDING:
            raise Conflict(
                f"approval `{self.id}` is already {self.state.value}",
                remediation="see what is open with `remit approvals`",
            )
        if now >= self.expires:
            raise Conflict(f"approval `{self.id}` has expired", remediation="let the agent call again")

    def with_answer(
        self,
        given: GivenAnswer,
        standing: Sequence[GivenAnswer],
        *,
        most: int,
        less: Mapping[str, Json],
        strict: bool,
    ) -> Approval:
        """Return the question with one more yes; `standing` are the earlier ones that still count.

        Refuses a second answer that may be of the same person (`Conflict`), one about something else than
        the standing ones (`Conflict`), and one that permits more than the question offers (`Malformed`).
        `strict` as for `GivenAnswer.same_hand`.
        """
        for other in standing:
            if given.authority in other.people or given.by in other.people:
                raise Conflict(
                    f"`{other.by}` has approved this already, and each person counts once",
                    code="already-answered",
                    remediation="ask another approver",
                )
            if given.same_hand(other, strict=strict):
                raise Conflict(
                    f"`{given.by}` and `{other.by}` may be one person, because of a sign-in code",
                    code="code-maker",
                    remediation="ask another approver, or remove the sign-in methods made with the code "
                    "(`remit person ways`)",
                )
        if less:
            narrowed(self.arguments, self.narrowable, less)
        self._bounds(True, most, given.until, given.at)
        if standing and (most, less) != (self.agreed_most, self.agreed_less):
            raise Conflict(
                f"`{standing[0].by}` has approved {self._agreed()}, and all must approve the same",
                code="other-terms",
                remediation=f"approve {self._agreed()}, or refuse the call",
            )
        return msgspec.structs.replace(
            self,
            answers=(*standing, given),
            agreed_most=most,
            agreed_less=dict(less),
            revision=self.revision + 1,
        )

    def _agreed(self) -> str:
        """Return in words what the answers so far are about."""
        if self.agreed_less:
            values = " and ".join(f"`{shown(name)}={shown(to)}`" for name, to in self.agreed_less.items())
            return f"the narrower call with {values}"
        return "exactly this call" if self.agreed_most == 1 else f"up to {self.agreed_most} such calls"

    @property
    def agreed_until(self) -> datetime | None:
        """The earliest end that an approver chose; None where none did."""
        return min((one.until for one in self.answers if one.until is not None), default=None)

    def without_answers_of(self, person: str) -> Approval:
        """Return the question without the answers that a person has a part in."""
        left = tuple(one for one in self.answers if person not in one.people)
        return msgspec.structs.replace(self, answers=left, revision=self.revision + 1)

    def escalated_to(self, groups: Iterable[str]) -> Approval:
        """Return the question as one that these groups may answer, too."""
        return msgspec.structs.replace(self, escalated=(*self.escalated, *groups), revision=self.revision + 1)

    def _bounds(self, approve: bool, most: int, until: datetime | None, now: datetime) -> Bounds | None:
        if most == 1 and (until is None or approve):
            if until is not None and not now < until <= self.expires:
                raise Malformed(
                    "the approval would end before now, or after its question",
                    code="beyond-offer",
                    remediation=f"choose a time until {self.expires.isoformat(timespec='seconds')}",
                )
            return None
        if not approve or self.offer is None:
            raise Malformed(
                f"approval `{self.id}` is for this call, once",
                code="not-offered",
                remediation="approve it without bounds",
            )
        return self.offer.chosen(most, until, now)

    def withdrawn(self, person: Person, now: datetime, comment: str = "") -> Approval:
        """Return an approval that was given and is not used up, as withdrawn by an approver.

        It has expired. Raises `Forbidden` or `Conflict`.
        """
        _check_approver(person)
        if self.state is not ApprovalState.APPROVED or now >= self.expires:
            raise Conflict(f"approval `{self.id}` permits nothing any more")
        return msgspec.structs.replace(self.expired(now), comment=comment or self.comment)

    def expired(self, at: datetime) -> Approval:
        """Return the approval as expired.

        It may expire at its deadline or earlier; `expires` is then the moment of expiry.
        """
        return msgspec.structs.replace(self, state=ApprovalState.EXPIRED, expires=min(at, self.expires))

    def usable_for(self, call: str, now: datetime) -> bool:
        """Return whether the approval permits exactly this call at `now`, as the first of its calls."""
        return self.is_live(now) and self.call == call and self.used == 0

    def usable_within(self, scope: str, now: datetime) -> bool:
        """Return whether the approval is bounded, and permits a further call of this scope at `now`."""
        return (
            self.is_live(now)
            and self.bounds is not None
            and self.offer is not None
            and self.offer.scope == scope
            and self.used < self.bounds.most
        )

    def is_live(self, now: datetime) -> bool:
        """Return whether the approval was given, and is neither used up nor over at `now`."""
        return self.state is ApprovalState.APPROVED and now < self.expires

    def consumed(self) -> Approval:
        """Return the approval with one more call permitted."""
        used = self.used + 1
        last = self.bounds is None or used >= self.bounds.most
        return msgspec.structs.replace(
            self,
            used=used,
            state=ApprovalState.CONSUMED if last else ApprovalState.APPROVED,
            revision=self.revision + 1,
        )


def _check_approver(person: Person) -> None:
    if not may_approve(person):
        raise Forbidden(
            f"`{person.name}` is not an approver", remediation="ask someone with the role approver"
        )
