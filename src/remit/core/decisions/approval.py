# SPDX-License-Identifier: Apache-2.0
"""Approvals: a person's answer to one exact call and the exact rules that deferred it. It counts once, and
expires.
"""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec

from remit.core.decisions.decision import RuleRef
from remit.core.decisions.question import QuestionedValue
from remit.core.errors import Conflict, Forbidden
from remit.core.identity.principals import Person, Role
from remit.core.json_value import Json
from remit.core.tasks.task import person_of


def may_approve(person: Person) -> bool:
    """Return whether a person may approve: the person is active and has the role approver."""
    return person.active and Role.APPROVER in person.roles


class ApprovalState(enum.StrEnum):
    """State transitions: pending -> approved -> consumed; pending -> denied | expired; approved ->
    expired.
    """

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CONSUMED = "consumed"


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a human's answer, and the answer.

    `call` is the digest of task, tool and arguments. `rules` are exactly the rules that the human was shown.
    `questioned` are the values in question, each with its source. `expires` is the end of the time in which
    the request may be answered and used, or the time at which it expired. `requested_for` is the person
    behind the task, `requested_by` the person who stated its intent: neither ever answers.
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

    @property
    def subject(self) -> str:
        """The data subject of the question, whose key seals it."""
        return self.requested_for or person_of(self.requested_by) or self.agent

    def answered(self, person: Person, approve: bool, now: datetime, comment: str = "") -> Approval:
        """Return the approval with a person's answer.

        Refuses a person who may not answer (`Forbidden`) and an answer that comes too late (`Conflict`).
        """
        if not may_approve(person):
            raise Forbidden(
                f"`{person.name}` is not an approver", remediation="ask someone with the role approver"
            )
        if person.name in (self.requested_for, self.requested_by):
            raise Forbidden("the requester cannot approve", remediation="ask another approver")
        if self.state is not ApprovalState.PENDING:
            raise Conflict(f"approval `{self.id}` is already {self.state.value}")
        if now >= self.expires:
            raise Conflict(f"approval `{self.id}` has expired", remediation="let the agent call again")
        return msgspec.structs.replace(
            self,
            state=ApprovalState.APPROVED if approve else ApprovalState.DENIED,
            decided=now,
            decided_by=person.name,
            comment=comment,
        )

    def expired(self, at: datetime) -> Approval:
        """Return the approval as expired.

        It may expire at its deadline or earlier; `expires` is then the moment of expiry.
        """
        return msgspec.structs.replace(self, state=ApprovalState.EXPIRED, expires=min(at, self.expires))

    def usable_for(self, call: str, now: datetime) -> bool:
        """Return whether the approval permits exactly this call at `now`."""
        return self.state is ApprovalState.APPROVED and self.call == call and now < self.expires
