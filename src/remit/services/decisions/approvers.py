# SPDX-License-Identifier: Apache-2.0
"""Who may answer a question: roles and groups as they are now, substitutes, and people who may be one person.

INVARIANT: role and groups are read when they count, from the store and the configuration: at the answer, at
the completing answer, and when the approval is used. What an answer once rested on is not enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from remit.core.decisions.approval import Approval, may_approve
from remit.core.decisions.approvers import (
    ANYONE,
    Absence,
    ApproverDemand,
    GivenAnswer,
    in_words,
    joined,
    missing,
)
from remit.core.errors import Conflict, Forbidden
from remit.core.identity.principals import Memberships, Person, person_of
from remit.core.tasks.task import Task
from remit.ports.store.changes import Credential
from remit.ports.store.sign_in import SignInStore
from remit.services.decisions.absences import absence_of
from remit.services.separation.sign_in_methods import hands_of, is_behind

#: The sign-in method that shows that the person is there (WebAuthn with user verification), and its age.
STRONG: Final = "passkey"
FRESH: Final = timedelta(minutes=5)


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """A person who answers, and the person whose role and groups count: the same, or an absent approver.

    `hands` are all people who may be behind both.
    """

    person: Person
    authority: Person
    hands: frozenset[str]

    @property
    def instead_of(self) -> str:
        """The absent approver; empty where the person answers in their own name."""
        return self.authority.name if self.authority.name != self.person.name else ""

    def answer(self, at: datetime, comment: str, until: datetime | None) -> GivenAnswer:
        """Return the yes of this person."""
        return GivenAnswer(
            by=self.person.name,
            at=at,
            instead_of=self.instead_of,
            hands=tuple(sorted(self.hands - {self.person.name, self.authority.name})),
            comment=comment,
            until=until,
        )


class Approvers:
    """Finds who may answer, and which answers count."""

    def __init__(
        self,
        *,
        store: SignInStore,
        members: Memberships,
        tenant: str,
        second_person: bool,
        glass: str | None = None,
    ) -> None:
        """Take the dependencies.

        With `second_person`, two people count as one if the same administrator admitted both by sign-in
        codes. `glass` is the group that may break the glass; None: no one may.
        """
        self._store = store
        self._members = members
        self._tenant = tenant
        self._glass = glass
        self.second_person = second_person

    async def seat(self, found: Approval, person: Person, instead_of: str, now: datetime) -> Seat:
        """Return in which place a person answers a question; raise `Forbidden` or `Conflict`.

        The requester never answers, in no place and through no substitute.
        """
        authority, absence = person, None
        if instead_of and instead_of != person.name:
            authority, absence = await self._absent(instead_of, person, now)
        found.check_answerable((person, authority), now)
        hands = await hands_of(self._store, self._tenant, person.name, now)
        if absence is not None:
            hands |= await hands_of(self._store, self._tenant, authority.name, now) | {*absence.coded_by}
            if {found.requested_for, person_of(found.requested_by)} & {*absence.coded_by}:
                raise Forbidden(
                    "the requester may have named this substitute, because of a sign-in code",
                    code="code-maker",
                    remediation="ask another approver",
                )
        return Seat(person=person, authority=await self._as_known(authority), hands=hands)

    async def _as_known(self, person: Person) -> Person:
        """Return a person with the groups that the store and the configuration know now."""
        known = await self._store.person(self._tenant, person.name)
        groups = known.groups if known is not None else ()
        return self._members.of_person(msgspec.structs.replace(person, groups=groups))

    async def _absent(self, name: str, substitute: Person, now: datetime) -> tuple[Person, Absence]:
        absence = await absence_of(self._store, self._tenant, name)
        absent = await self._store.person(self._tenant, name)
        if (
            absence is None
            or absent is None
            or absence.substitute != substitute.name
            or not absence.covers(now)
        ):
            raise Forbidden(
                f"`{substitute.name}` is not the substitute of `{name[:80]}` now",
                code="not-substitute",
                remediation=f"answer in your own name, or let `{name[:80]}` run `remit approvals away`",
            )
        return absent, absence

    async def check_separate(self, task: Task | None, seat: Seat, now: datetime) -> None:
        """Refuse (`Forbidden`) a yes of a person who may be behind the task, because of a sign-in code."""
        for name in {seat.person.name, seat.authority.name}:
            if task is not None and await is_behind(
                self._store, task, name, now, second_person=self.second_person
            ):
                raise Forbidden(
                    "the approver may be the requester, because of a sign-in code",
                    code="code-maker",
                    remediation="ask another approver, or remove the sign-in methods made with the code "
                    "(`remit person ways`)",
                )

    async def counting(
        self, answers: Sequence[GivenAnswer], now: datetime | None = None
    ) -> list[tuple[GivenAnswer, tuple[str, ...]]]:
        """Return the answers that count, each with the groups of the person whose authority it has.

        All people in it must still be approvers. With `now`, an answer that its person has bounded in time
        counts until then.
        """
        out = []
        for one in answers:
            people = {name: await self._store.person(self._tenant, name) for name in one.people}
            authority = people[one.authority]
            if (
                authority is not None
                and all(person is not None and may_approve(person) for person in people.values())
                and (now is None or one.until is None or now < one.until)
            ):
                out.append((one, self._members.of_person(authority).groups))
        return out

    async def stands(self, approval: Approval, demands: Sequence[ApproverDemand]) -> bool:
        """Return whether the people who gave an approval may still give it, and are all that is demanded now.

        `demands` are those of the rules that ask about the call. A narrower call can meet other rules than
        the question that its approval comes from.
        """
        answers = approval.answers
        if not answers and approval.decided:
            # It was given when an approval had one answer.
            answers = (GivenAnswer(by=approval.decided_by, at=approval.decided),)
        counting = await self.counting(answers)
        if approval.broken_glass:
            return any(one.by == approval.decided_by and self._glass in groups for one, groups in counting)
        groups = [groups for _, groups in counting]
        return not missing(joined((*approval.approvers, *demands)), groups, approval.escalated)


def open_demands(
    found: Approval, given: Sequence[tuple[GivenAnswer, tuple[str, ...]]]
) -> tuple[ApproverDemand, ...]:
    """Return what is still missing for a question to be approved."""
    return missing(found.approvers, [groups for _, groups in given], found.escalated)


def check_shown(found: Approval, call: str) -> None:
    """Refuse an answer to another call than the one that waits; an empty digest states none."""
    if call and call != found.call:
        raise Conflict(
            "the digest does not match the call", code="digest-mismatch", remediation="review it again"
        )


def check_group(
    found: Approval, seat: Seat, given: Sequence[tuple[GivenAnswer, tuple[str, ...]]], *, approve: bool
) -> None:
    """Refuse an answer of a person outside the groups that must answer, or of a group that has answered."""
    groups = seat.authority.groups
    if not any(one.admits(groups, found.escalated) for one in found.approvers or ANYONE):
        raise Forbidden(
            f"`{seat.authority.name}` is not in a group that must answer this",
            code="approver-group",
            remediation=f"it needs {in_words(found.approvers, found.escalated)}",
        )
    left = open_demands(found, given)
    if approve and left and not any(one.admits(groups, found.escalated) for one in left):
        raise Conflict(
            "enough people of these groups have approved this",
            code="group-answered",
            remediation=f"it still needs {in_words(left, found.escalated)}",
        )


def signed_in_just_now(session: Credential | None, now: datetime, *, strong: bool = True) -> bool:
    """Return whether a session comes from a fresh sign-in; `strong`: with a passkey."""
    if session is None or (strong and session.method != STRONG):
        return False
    return timedelta(0) <= now - (session.authenticated or session.created) <= FRESH
