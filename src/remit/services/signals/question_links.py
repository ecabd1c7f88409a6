# SPDX-License-Identifier: Apache-2.0
"""Links of notifications to the page of one question. A link grants nothing.

Who follows it signs in as always, and answers only with the right to. It names no question and no address: it
is a random code, and the question is stored here. So it cannot be made to lead elsewhere, and it is dead as
soon as the question is answered or over. The first approver who opens it uses it up; programs that look at
the links of messages do not.
"""

from __future__ import annotations

from datetime import timedelta

from remit.core.decisions.approval import Approval, ApprovalState, may_approve
from remit.core.errors import Conflict
from remit.core.identity.principals import Person
from remit.core.oauth.one_time_code import QuestionLink
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.units import Unit
from remit.services.decisions.approvals import Approvals
from remit.services.identity.one_time_codes import OneTimeCodes

#: Below the address of remit: where links lead, and where they lead on to.
LINK_PATH = "/console/notified"
QUESTIONS_PATH = "/console/approvals"


class QuestionLinks:
    """Makes links to questions, and follows them."""

    def __init__(
        self,
        *,
        store: SignInStore,
        clock: Clock,
        entropy: Entropy,
        tenant: str,
        public_url: str,
        approvals: Approvals,
    ) -> None:
        """Take the dependencies."""
        self._codes = OneTimeCodes(store, clock, entropy, tenant)
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._public_url = public_url
        self._approvals = approvals

    async def open_question(self, approval_id: str) -> Approval | None:
        """Return a question that still waits for its answer."""
        found = await self._approvals.find(approval_id)
        return found if found is not None and found.state is ApprovalState.PENDING else None

    async def link_to(self, question: Approval) -> str:
        """Return a new link to an open question. It lasts as long as the question."""
        lasts = max(question.expires - self._clock.now(), timedelta(seconds=1))
        value = self._entropy.bytes(32).hex()  # no service reads a part of it as markup
        _, keep = self._codes.make(QuestionLink(approval=question.id), lasts, value=value)
        await self._store.commit(Unit((keep,)))
        return f"{self._public_url}{LINK_PATH}/{value}"

    async def followed(self, value: str, person: Person) -> str:
        """Return the page to which a link leads a person who is signed in.

        1. Only an approver uses a link up.
        2. Its question is still open; who asked it cannot answer, and does not use the link up.
        3. It has not been used, or by the same person.
        Otherwise it leads to the list of questions, whatever was wrong with it.
        """
        found = await self._codes.look(value)
        if found is None or not isinstance(found.holds, QuestionLink) or not may_approve(person):  # 1
            return QUESTIONS_PATH
        question = await self.open_question(found.holds.approval)
        if question is None:  # 2
            return QUESTIONS_PATH
        page = f"{QUESTIONS_PATH}/{question.id}"
        if person.name in (question.requested_for, question.requested_by):
            return page
        if found.open_at(self._clock.now()):
            try:
                await self._store.commit(Unit((self._codes.use(value, person.name),)))
            except Conflict:  # another person was faster
                return QUESTIONS_PATH
            return page
        return page if found.outcome == person.name else QUESTIONS_PATH  # 3
