# SPDX-License-Identifier: Apache-2.0
"""What ends read of a store: what has run out, what lies under a task, what of it is open, and who asks."""

from datetime import timedelta

from remit.core.decisions.approval import ApprovalState
from remit.core.tasks.task import Ancestor, TaskState
from remit.ports.store.changes import (
    Change,
    Credential,
    PutApproval,
    PutCredential,
    PutPerson,
    PutTask,
    TakeCredential,
)
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from tests.conformance.stores import each_store
from tests.worlds.values import START, TENANT, a_person, a_task, an_approval

pytestmark = each_store


async def test_a_task_comes_with_all_that_descend_from_it(store: Store) -> None:
    """The task itself first, then the others, the oldest first, however many; of another one nothing."""
    above = (Ancestor("a", "contract-bot", "legal"),)
    many = [a_task(f"b{n:03}", lineage=above, opened=START + timedelta(n)) for n in range(1, 60)]
    changes = (PutTask(a_task("a", opened=START + timedelta(99))), *map(PutTask, many), PutTask(a_task("c")))
    await store.commit(Unit(changes=changes))
    found = await store.with_descendants(TENANT, "a")
    assert [task.id for task in found] == ["a", *(task.id for task in many)]
    assert [task.id for task in await store.with_descendants(TENANT, "c")] == ["c"]
    assert await store.with_descendants(TENANT, "none") == []
    assert await store.with_descendants("other", "a") == []
    assert await store.task_to_end(TENANT, "a") == found[0]
    assert await store.task_to_end(TENANT, "none") is None
    assert await store.task_to_end("other", "a") is None


async def test_open_approvals_are_those_that_could_still_be_used(store: Store) -> None:
    """Open approvals are pending ones and granted, unused ones; they come from the named tasks, however
    many.
    """
    names = [f"task_{n:03}" for n in range(120)]
    put = [PutApproval(an_approval(f"of-{name}", task=name)) for name in names]
    put += [
        PutApproval(an_approval(state.value, task="task_x", state=state, call=state.value))
        for state in ApprovalState
    ]
    await store.commit(Unit(changes=tuple(put)))
    found = await store.open_approvals(TENANT, ["task_x"])
    assert {one.state for one in found} == {ApprovalState.PENDING, ApprovalState.APPROVED}
    assert len(await store.open_approvals(TENANT, names)) == 120
    assert len(await store.open_approvals(TENANT, names[:3])) == 3
    assert await store.open_approvals(TENANT, []) == []
    many = [PutApproval(an_approval(f"more-{n}", task="task_y", call=f"call-{n}")) for n in range(40)]
    await store.commit(Unit(changes=tuple(many)))
    assert len(await store.open_approvals(TENANT, ["task_y"])) == 40


async def test_a_credential_comes_with_whose_it_is(store: Store) -> None:
    """One look-up returns a credential and its person; a credential of an unknown person is not found."""
    lena = a_person()
    of_lena, of_nobody = (
        Credential(
            tenant=TENANT, digest=f"sha256:{who}", kind="session", person=who, created=START, expires=START
        )
        for who in (lena.name, "nobody")
    )
    changes = (PutPerson(lena, expect_new=True), PutCredential(of_lena), PutCredential(of_nobody))
    await store.commit(Unit(changes=changes))
    assert await store.signed_in(TENANT, of_lena.digest) == (of_lena, lena)
    assert await store.signed_in(TENANT, of_nobody.digest) is None
    assert await store.signed_in(TENANT, "sha256:other") is None
    await store.commit(Unit(changes=(TakeCredential(TENANT, of_lena.digest),)))
    assert await store.signed_in(TENANT, of_lena.digest) is None


async def test_tasks_that_may_have_to_end_are_found(store: Store) -> None:
    """Those past their deadline, and those with a lease or an idle time; none that has ended, or has time."""
    later = START + timedelta(hours=1)
    tasks = (
        a_task("past", deadline=START - timedelta(seconds=1)),
        a_task("done", deadline=START - timedelta(seconds=1), state=TaskState.COMPLETED),
        a_task("leased", deadline=later, lease_s=15),
        a_task("idle", deadline=later, idle_s=900),
        a_task("long", deadline=later),
    )
    await store.commit(Unit(changes=tuple(PutTask(task) for task in tasks)))
    assert {task.id for task in await store.expiring(TENANT, START)} == {"past"}
    assert {task.id for task in await store.expiring(TENANT, later)} == {"past", "leased", "idle", "long"}
    assert await store.expiring("other", later) == []
    assert sorted(await store.watched(TENANT)) == ["idle", "leased"]
    assert await store.watched("other") == []


async def test_open_questions_are_counted_by_agent(store: Store) -> None:
    """Those of its tasks that wait for an answer, asked after a moment."""
    put: list[Change] = [PutTask(a_task("a")), PutTask(a_task("b")), PutTask(a_task("c", agent="other"))]
    put += [
        PutApproval(an_approval(f"{task}-{state.value}", task=task, state=state))
        for task in ("a", "b", "c")
        for state in (ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.DENIED)
    ]
    await store.commit(Unit(changes=tuple(put)))
    asked = an_approval("x").requested
    agent = a_task("a").agent
    assert await store.open_questions(TENANT, agent, asked - timedelta(seconds=1)) == 2
    assert await store.open_questions(TENANT, "other", asked - timedelta(seconds=1)) == 1
    assert await store.open_questions(TENANT, agent, asked) == 0
    assert await store.open_questions("other", agent, asked - timedelta(seconds=1)) == 0
