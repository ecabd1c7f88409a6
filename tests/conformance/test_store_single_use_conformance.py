# SPDX-License-Identifier: Apache-2.0
"""What every store keeps to about things that are used once: approvals, codes, assertions."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.decisions.approvers import GivenAnswer
from remit.core.decisions.bounds import BoundedOffer, Bounds
from remit.core.errors import ChangedMeanwhile, Conflict
from remit.core.label import Label
from remit.ports.store.changes import (
    Credential,
    PutApproval,
    PutCredential,
    TakeCredential,
    UseApproval,
    UseAssertion,
)
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from tests.conformance.stores import each_store
from tests.worlds.values import START, TENANT, an_approval

pytestmark = each_store


def an_offer() -> BoundedOffer:
    """Return what a question offers: three calls within an hour."""
    return BoundedOffer(
        most=3,
        until=START + timedelta(hours=1),
        same=("to",),
        texts=("body",),
        scope="sha256:scope",
        label=Label(categories=frozenset({"pii"})),
        content="unknown",
        crossed=False,
        crossings=0,
    )


async def test_an_approval_permits_one_call_once(store: Store) -> None:
    """It must be approved, for exactly this call, in time, and it is used up."""
    pending = an_approval()
    use = Unit(changes=(UseApproval(pending.id, pending.call, START),), tenant=TENANT)
    await store.commit(Unit(changes=(PutApproval(pending),)))
    with pytest.raises(Conflict):
        await store.commit(use)
    approved = msgspec.structs.replace(pending, state=ApprovalState.APPROVED, decided=START)
    await store.commit(Unit(changes=(PutApproval(approved, expected=ApprovalState.PENDING),)))
    with pytest.raises(Conflict):
        await store.commit(Unit(changes=(PutApproval(approved, expected=ApprovalState.PENDING),)))
    for change in (
        UseApproval(pending.id, "sha256:another-call", START),
        UseApproval(pending.id, pending.call, pending.expires),
        UseApproval("approval_none", pending.call, START),
    ):
        with pytest.raises(Conflict):
            await store.commit(Unit(changes=(change,), tenant=TENANT))
    first, second = await asyncio.gather(store.commit(use), store.commit(use), return_exceptions=True)
    assert not isinstance(first, BaseException)
    assert isinstance(second, Conflict)
    found = await store.approval(TENANT, pending.id)
    assert found is not None
    assert found.state is ApprovalState.CONSUMED


async def test_of_two_answers_at_once_one_is_kept(store: Store) -> None:
    """The other is told, and joins the first when it tries again; a state that is left is left for both."""
    asked = an_approval()
    await store.commit(Unit(changes=(PutApproval(asked),)))

    async def joins(found: Approval, name: str) -> Approval:
        answers = (*found.answers, GivenAnswer(by=name, at=START))
        joined = msgspec.structs.replace(found, answers=answers, revision=found.revision + 1)
        change = PutApproval(joined, expected=ApprovalState.PENDING, revision=found.revision)
        await store.commit(Unit(changes=(change,)))
        return joined

    ends = await asyncio.gather(joins(asked, "omar"), joins(asked, "ada"), return_exceptions=True)
    (first,) = [one for one in ends if isinstance(one, Approval)]
    assert [type(one) for one in ends if one is not first] == [ChangedMeanwhile]
    found = await store.approval(TENANT, asked.id)
    assert found == first
    both = await joins(first, "mona")
    assert await store.approval(TENANT, asked.id) == both
    over = PutApproval(both.expired(START), expected=ApprovalState.PENDING)
    await store.commit(Unit(changes=(over,)))
    with pytest.raises(Conflict):
        await joins(both, "gil")


async def test_approvals_are_found_by_task_call_and_state(store: Store) -> None:
    """Newest first, and no more than asked for."""
    for n in range(3):
        await store.commit(
            Unit(
                changes=(
                    PutApproval(
                        an_approval(f"approval_{n}", call=f"call-{n}", requested=START + timedelta(n))
                    ),
                )
            )
        )
    assert [a.id for a in await store.approvals(TENANT, limit=2)] == ["approval_2", "approval_1"]
    assert [a.id for a in await store.approvals(TENANT, limit=2, skip=1)] == ["approval_1", "approval_0"]
    assert [a.id for a in await store.approvals(TENANT, call="call-0")] == ["approval_0"]
    assert await store.approvals(TENANT, task="task_two") == []
    assert len(await store.approvals(TENANT, task="task_one", state=ApprovalState.PENDING)) == 3


async def test_a_code_is_taken_once(store: Store) -> None:
    """The second request for a code finds nothing."""
    code = Credential(tenant=TENANT, digest="d", kind="code", person="lena", created=START, expires=START)
    await store.commit(Unit(changes=(PutCredential(code),)))
    taking = Unit(changes=(TakeCredential(TENANT, "d"),))
    results = await asyncio.gather(store.commit(taking), store.commit(taking), return_exceptions=True)
    assert [isinstance(result, Conflict) for result in results] == [False, True]
    assert await store.credential(TENANT, "d") is None


async def test_an_assertion_is_used_once(store: Store) -> None:
    """Its id is remembered, in each tenant for itself."""
    use = UseAssertion(TENANT, "jti", START + timedelta(minutes=1))
    await store.commit(Unit(changes=(use,)))
    with pytest.raises(Conflict):
        await store.commit(Unit(changes=(use,)))
    await store.commit(Unit(changes=(msgspec.structs.replace(use, tenant="other"),)))


async def test_credentials_that_ran_out_long_ago_are_dropped(store: Store) -> None:
    """A new credential drops those of more than an hour past their end; of other tenants it drops none."""

    def credential(digest: str, hours: int, tenant: str = TENANT) -> Credential:
        made = START + timedelta(hours=hours)
        end = made + timedelta(minutes=15)
        return Credential(tenant=tenant, digest=digest, kind="code", person="lena", created=made, expires=end)

    for one in (credential("old", 0), credential("late", 1), credential("other", 0, "other")):
        await store.commit(Unit((PutCredential(one),)))
    await store.commit(Unit((PutCredential(credential("new", 2)),)))
    assert await store.credential(TENANT, "old") is None
    assert await store.credential(TENANT, "late") is not None
    assert await store.credential("other", "other") is not None


async def test_a_bounded_approval_permits_so_many_calls_of_its_scope(store: Store) -> None:
    """Each use names the count that it saw; one that saw an older count, or another scope, is refused."""
    offer = an_offer()
    given = an_approval(
        state=ApprovalState.APPROVED,
        decided=START,
        offer=offer,
        bounds=Bounds(most=3, until=offer.until),
        expires=offer.until,
    )
    await store.commit(Unit(changes=(PutApproval(given),)))

    def use(call: str = "sha256:other", scope: str = offer.scope, used: int = 0, minutes: int = 0) -> Unit:
        at = START + timedelta(minutes=minutes)
        return Unit(changes=(UseApproval(given.id, call, at, scope=scope, used=used),), tenant=TENANT)

    for refused in (use(scope="sha256:wider"), use(used=1), use(minutes=60), use(scope="")):
        with pytest.raises(Conflict):
            await store.commit(refused)
    ends = await asyncio.gather(*(store.commit(use()) for _ in range(3)), return_exceptions=True)
    assert sum(isinstance(end, Conflict) for end in ends) == 2
    # The call that was shown passes as one of the three, and only as the first one for itself.
    with pytest.raises(Conflict):
        await store.commit(use(given.call, scope=""))
    await store.commit(use(used=1, minutes=59))
    found = await store.approval(TENANT, given.id)
    assert found is not None
    assert (found.state, found.used, found.left, found.offer) == (ApprovalState.APPROVED, 2, 1, offer)
    await store.commit(use(used=2))
    with pytest.raises(Conflict):
        await store.commit(use(used=3))
    assert await store.open_approvals(TENANT, (given.task,)) == []


async def test_an_approval_that_was_used_meanwhile_is_not_written_back(store: Store) -> None:
    """Who withdraws one that permits several calls would undo the count of those that it has permitted."""
    offer = an_offer()
    read = msgspec.structs.replace(
        an_approval(state=ApprovalState.APPROVED),
        offer=offer,
        bounds=Bounds(most=3, until=offer.until),
        expires=offer.until,
    )
    await store.commit(Unit(changes=(PutApproval(read),)))
    use = UseApproval(read.id, "sha256:other", START, scope=offer.scope)
    await store.commit(Unit(changes=(use,), tenant=TENANT))
    gone = PutApproval(read.expired(START), expected=read.state, revision=read.revision)
    with pytest.raises(ChangedMeanwhile):
        await store.commit(Unit(changes=(gone,)))
    found = await store.approval(TENANT, read.id)
    assert found is not None
    assert (found.state, found.used) == (ApprovalState.APPROVED, 1)
