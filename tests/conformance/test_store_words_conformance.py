# SPDX-License-Identifier: Apache-2.0
"""What every store keeps to about what people said: it is sealed under their keys, and gone with them."""

from datetime import timedelta
from typing import Any

import msgspec

from remit.core.decisions.approval import ApprovalState
from remit.core.decisions.approvers import GivenAnswer
from remit.core.identity.principals import Role
from remit.core.tasks.grant import Grant
from remit.core.tasks.task import TaskState, UserMessage
from remit.ports.store.changes import PutApproval, PutDelegation, PutPerson, PutTask, UseApproval
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from tests.conformance.stores import each_store
from tests.worlds.values import START, TENANT, a_delegation, a_person, a_task, an_approval

pytestmark = each_store

GRANT = Grant("contracts/read", {"path": {"exact": "contracts/C-42.md"}})


def changed(value: Any, **changes: Any) -> Any:
    """Return a value with other members."""
    return msgspec.structs.replace(value, **changes)


TASK = changed(a_task(), grants=(GRANT,), plan=(GRANT,))
OTHERS = changed(
    a_task("task_two"), on_behalf_of="leo", intent=changed(TASK.intent, goal="read it", requested_by="leo")
)
OMAR = a_person("omar", roles=frozenset({Role.APPROVER}))
APPROVAL = an_approval(reasons=("`change` is CR-7",))
RECORD = a_delegation(goal="every morning", params={"id": "C-42"})


async def filled(store: Store) -> None:
    """Keep a task, a question about it, and a record of lena's, and a task of leo's."""
    await store.commit(
        Unit(
            (
                PutPerson(OMAR),
                PutTask(TASK),
                PutTask(OTHERS),
                PutApproval(APPROVAL),
                PutDelegation(RECORD, expect_new=True),
            )
        )
    )


async def test_a_list_can_be_read_without_what_was_said(store: Store) -> None:
    """All that is sealed is left out then: of each task, or of each approval that is long."""
    await filled(store)
    bare = changed(TASK, intent=changed(TASK.intent, goal="", params={}, messages=()), grants=(), plan=None)
    assert await store.tasks(TENANT, on_behalf_of="lena", texts=False) == [bare]
    silent = changed(APPROVAL, arguments={}, reasons=())
    for length, read in ((None, APPROVAL), (10_000, APPROVAL), (20, silent), (0, silent)):
        assert await store.approvals(TENANT, task=TASK.id, length=length) == [read]


async def test_what_was_said_comes_back_whole(store: Store) -> None:
    """As it was put, by each way of reading, and after each way of putting it back changed."""
    await filled(store)
    assert await store.task(TENANT, TASK.id) == TASK
    assert await store.tasks(TENANT, on_behalf_of="lena") == [TASK]
    assert await store.with_descendants(TENANT, TASK.id) == [TASK]
    assert len(await store.expiring(TENANT, TASK.deadline)) == 2
    assert await store.approval(TENANT, APPROVAL.id) == APPROVAL
    assert await store.open_approvals(TENANT, [TASK.id]) == [APPROVAL]
    assert await store.delegation(TENANT, RECORD.id) == RECORD
    assert await store.delegations(TENANT, person="lena") == [RECORD]
    later = changed(TASK, intent=changed(TASK.intent, messages=(UserMessage("and C-43", START),)))
    answered = APPROVAL.answered(OMAR, True, START, "fine by me")
    revoked = changed(RECORD, revoked=START)
    await store.commit(
        Unit(
            (
                PutTask(later, expected=TaskState.ACTIVE),
                PutApproval(answered, expected=ApprovalState.PENDING),
                PutDelegation(revoked),
            )
        )
    )
    assert await store.task(TENANT, TASK.id) == later
    assert await store.approvals(TENANT, task=TASK.id) == [answered]
    assert await store.delegation(TENANT, RECORD.id) == revoked
    ended = later.moved(TaskState.COMPLETED, START)
    used = UseApproval(APPROVAL.id, APPROVAL.call, START)
    await store.commit(Unit((PutTask(ended, expected=TaskState.ACTIVE), used), tenant=TENANT))
    assert await store.task(TENANT, TASK.id) == ended
    assert await store.approval(TENANT, APPROVAL.id) == answered.consumed()


async def test_what_was_said_is_gone_with_its_key(store: Store) -> None:
    """The words alone: what else is known of the task stays, and so does what others said."""
    await filled(store)
    answered = APPROVAL.answered(OMAR, True, START, "fine by me")
    await store.commit(Unit((PutApproval(answered, expected=ApprovalState.PENDING),)))
    assert await store.forget(TENANT, "lena")
    bare = changed(TASK.intent, goal="", params={})
    assert await store.task(TENANT, TASK.id) == changed(TASK, intent=bare, grants=(), plan=None)
    assert await store.task(TENANT, OTHERS.id) == OTHERS
    assert await store.approval(TENANT, APPROVAL.id) == changed(answered, arguments={}, reasons=())
    assert await store.delegation(TENANT, RECORD.id) == changed(RECORD, goal="", params={})
    # An approver's comment is the approver's.
    assert await store.forget(TENANT, "omar")
    found = await store.approval(TENANT, APPROVAL.id)
    assert found is not None
    assert found.comment == ""


async def test_what_was_forgotten_does_not_come_back(store: Store) -> None:
    """A caller that still has the row in memory and puts it back does not give it another key."""
    await filled(store)
    await store.forget(TENANT, "lena")
    later = changed(TASK, intent=changed(TASK.intent, messages=(UserMessage("and C-43", START),)))
    answered = APPROVAL.answered(OMAR, False, START)
    await store.commit(
        Unit(
            (
                PutTask(later, expected=TaskState.ACTIVE),
                PutApproval(answered, expected=ApprovalState.PENDING),
                PutDelegation(changed(RECORD, expires=START + timedelta(hours=2))),
            )
        )
    )
    task, approval = await store.task(TENANT, TASK.id), await store.approval(TENANT, APPROVAL.id)
    record = await store.delegation(TENANT, RECORD.id)
    assert task is not None
    assert approval is not None
    assert record is not None
    assert (task.intent.goal, task.intent.params, task.intent.messages, task.grants) == ("", {}, (), ())
    assert (approval.state, approval.arguments, record.goal) == (ApprovalState.DENIED, {}, "")
    # Words stated from now on are under a new key.
    anew = changed(TASK, id="task_new")
    await store.commit(Unit((PutTask(anew),)))
    assert await store.task(TENANT, "task_new") == anew


async def test_words_of_two_people_are_under_two_keys(store: Store) -> None:
    """The words belong to the person who states a task for another person; the parameters belong to that
    other person.
    """
    both = changed(TASK, intent=changed(TASK.intent, requested_by="leo"))
    await store.commit(Unit((PutTask(both),)))
    await store.forget(TENANT, "leo")
    assert await store.task(TENANT, TASK.id) == changed(both, intent=changed(both.intent, goal=""))
    await store.forget(TENANT, "lena")
    found = await store.task(TENANT, TASK.id)
    assert found is not None
    assert (found.intent.goal, found.intent.params, found.grants) == ("", {}, ())


async def test_each_of_several_approvers_has_the_own_comment(store: Store) -> None:
    """It comes back beside the answer, goes with its author's key, and never to another answer."""
    await filled(store)
    omar = GivenAnswer(by="omar", at=START, comment="fine by me", hands=("root",))
    ada = GivenAnswer(by="ada", at=START, comment="and by me", instead_of="mona")
    both = changed(APPROVAL, answers=(omar, ada), agreed_less={"change": "CR"}, agreed_most=3, revision=2)
    await store.commit(Unit((PutApproval(both, expected=ApprovalState.PENDING),)))
    assert await store.approval(TENANT, APPROVAL.id) == both
    assert await store.approvals(TENANT, task=TASK.id) == [both]
    # Omar's answer is taken back, and given again later without words.
    again = changed(omar, at=START + timedelta(minutes=1), comment="")
    for answers in ((ada,), (ada, again)):
        without = changed(both, answers=answers)
        await store.commit(Unit((PutApproval(without, expected=ApprovalState.PENDING),)))
        assert await store.approval(TENANT, APPROVAL.id) == without
    assert await store.forget(TENANT, "ada")
    silent = changed(both, answers=(changed(ada, comment=""), again))
    assert await store.approval(TENANT, APPROVAL.id) == silent
    assert await store.forget(TENANT, "lena")
    assert await store.approval(TENANT, APPROVAL.id) == changed(
        silent, arguments={}, reasons=(), agreed_less={}
    )
