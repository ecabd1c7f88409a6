# SPDX-License-Identifier: Apache-2.0
"""What every store keeps to: checks, changes, and what may be read back (`ports.store.store.Store`)."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from remit.core.endings.closure import Closing, Closure, Fence
from remit.core.errors import BudgetExhausted, ChangedMeanwhile, Conflict, Fenced, Malformed, NotFound
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import AgentState
from remit.core.label import Label, Trust
from remit.core.scope import EVERYTHING
from remit.core.tasks.task import Ancestor, Budgets, TaskState
from remit.ports.store.changes import (
    CheckFence,
    CheckUnlocked,
    Credential,
    Pin,
    PutAgent,
    PutClosure,
    PutCredential,
    PutPerson,
    PutPin,
    PutTask,
    PutValue,
    RaiseFence,
    RaiseLabel,
    TakeBudget,
    UseAgent,
)
from remit.ports.store.store import Store
from remit.ports.store.tasks import Usage
from remit.ports.store.units import Unit
from tests.conformance.stores import Open, each_store
from tests.worlds.values import START, TENANT, a_person, a_task, an_agent, an_event

pytestmark = each_store

SCOPES = (EVERYTHING, "agent:contract-bot", "task:task_one")


def take(bounds: dict[str, Budgets], **counts: int) -> Unit:
    """Return a unit that counts something."""
    return Unit(changes=(TakeBudget(bounds, **counts),), tenant=TENANT)


async def test_what_was_put_is_read_back(store: Store) -> None:
    """Agents, people, tasks, pins, closures, credentials and values come back equal."""
    agent, person, task = an_agent(), a_person(), a_task()
    pin = Pin(TENANT, "git/log", "sha256:a", {"name": "log"}, "sha256:b", {"name": "log", "x": [1]})
    closure = Closure(
        id="closure_one",
        scope="task:task_one",
        epoch=1,
        reason="done",
        ended_by="lena",
        at=START,
        closings=(Closing("token", "at", 1.5),),
    )
    credential = Credential(
        tenant=TENANT, digest="sha256:c", kind="code", person="lena", created=START, expires=START
    )
    await store.commit(
        Unit(
            changes=(
                PutAgent(agent, expect_new=True),
                PutPerson(person, expect_new=True),
                PutTask(task),
                PutPin(pin),
                PutClosure(TENANT, closure),
                PutCredential(credential),
                PutValue(TENANT, "bundle", {"digest": "sha256:d", "n": [1, 2.5, None]}),
            )
        )
    )
    assert await store.agent(TENANT, agent.name) == agent
    assert await store.agents(TENANT) == [agent]
    assert await store.person(TENANT, person.name) == person
    assert await store.people(TENANT) == [person]
    assert await store.task(TENANT, task.id) == task
    assert await store.pins(TENANT) == [pin]
    assert await store.closures(TENANT) == [closure]
    assert await store.closures(TENANT, scope="task:other") == []
    assert await store.credential(TENANT, "sha256:c") == credential
    assert await store.value(TENANT, "bundle") == {"digest": "sha256:d", "n": [1, 2.5, None]}


async def test_what_is_not_there_is_nothing(store: Store) -> None:
    """Reading what was never put gives `None`, an empty list or zero."""
    assert await store.agent(TENANT, "nobody") is None
    assert await store.task(TENANT, "none") is None
    assert await store.approval(TENANT, "none") is None
    assert await store.value(TENANT, "none") is None
    assert await store.tasks(TENANT) == []
    assert await store.usage(TENANT, "none") == Usage()
    assert await store.size(TENANT) == 0
    assert store.epochs(TENANT) == {}


async def test_tenants_do_not_see_each_other(store: Store) -> None:
    """The same names in two tenants are different things, and so are their logs."""
    other = an_agent(tenant="other", owner="omar")
    await store.commit(Unit(changes=(PutAgent(an_agent()),), events=(an_event(),)))
    await store.commit(Unit(changes=(PutAgent(other),), events=(an_event(tenant="other"),)))
    assert await store.agent("other", "contract-bot") == other
    assert await store.agents(TENANT) == [an_agent()]
    assert (await store.size(TENANT), await store.size("other")) == (1, 1)
    await store.commit(Unit(changes=(RaiseFence("other", EVERYTHING, locked=True),)))
    assert store.epochs(TENANT) == {}
    await store.commit(Unit(changes=(CheckFence({}, (EVERYTHING,)),), events=(an_event(),)))
    with pytest.raises(Fenced):
        await store.commit(Unit(changes=(CheckFence({}, (EVERYTHING,)),), tenant="other"))


async def test_a_name_is_taken_once(store: Store) -> None:
    """A second `expect_new` is a conflict; a replacement without it is not."""
    await store.commit(Unit(changes=(PutAgent(an_agent(), expect_new=True),)))
    with pytest.raises(Conflict, match="contract-bot"):
        await store.commit(Unit(changes=(PutAgent(an_agent(), expect_new=True),)))
    changed = an_agent(purpose="something else")
    await store.commit(Unit(changes=(PutAgent(changed),)))
    assert await store.agent(TENANT, "contract-bot") == changed


async def test_what_others_changed_is_not_undone(store: Store) -> None:
    """With `was`, an agent or a person is replaced only if unchanged since they were read."""
    agent = an_agent()
    person = a_person("lena")
    await store.commit(Unit((PutAgent(agent), PutPerson(person))))
    suspended = an_agent(state=AgentState.SUSPENDED)
    gone = a_person("lena", active=False)
    await store.commit(Unit((PutAgent(suspended, was=agent), PutPerson(gone, was=person))))
    for late in (
        PutAgent(an_agent(owner="omar"), was=agent),
        PutPerson(a_person("lena", groups=("elsewhere",)), was=person),
        PutAgent(an_agent("unknown"), was=an_agent("unknown")),
    ):
        with pytest.raises(ChangedMeanwhile):
            await store.commit(Unit((late,)))
    assert await store.agent(TENANT, agent.name) == suspended
    assert await store.person(TENANT, "lena") == gone
    assert await store.agent(TENANT, "unknown") is None


async def test_only_an_agent_that_may_act_is_used(store: Store) -> None:
    """A registered one becomes active by it; a suspended or an unknown one refuses the unit."""
    await store.commit(
        Unit(changes=(PutAgent(an_agent()), PutAgent(an_agent("b", state=AgentState.SUSPENDED))))
    )
    await store.commit(Unit(changes=(UseAgent(TENANT, "contract-bot"), PutTask(a_task()))))
    assert await store.agent(TENANT, "contract-bot") == an_agent(state=AgentState.ACTIVE)
    for name in ("b", "nobody"):
        with pytest.raises(Conflict, match=name):
            await store.commit(Unit(changes=(PutTask(a_task("task_two")), UseAgent(TENANT, name))))
    assert await store.task(TENANT, "task_two") is None


async def test_a_refused_unit_leaves_nothing(store: Store) -> None:
    """Whatever stood before the check that failed is undone, events included."""
    await store.commit(Unit(changes=(PutAgent(an_agent("first")),)))
    size = await store.size(TENANT)
    bounds = {"task_one": Budgets(calls=5)}
    with pytest.raises(Conflict):
        await store.commit(
            Unit(
                changes=(
                    PutAgent(an_agent("second")),
                    RaiseFence(TENANT, "agent:second", locked=True),
                    TakeBudget(bounds, calls=5),
                    PutAgent(an_agent("first"), expect_new=True),
                ),
                events=(an_event(),),
            )
        )
    assert await store.agent(TENANT, "second") is None
    assert store.epochs(TENANT) == {}
    assert await store.fences(TENANT) == []
    assert await store.size(TENANT) == size
    await store.commit(
        Unit(changes=(CheckUnlocked(("agent:second",)), TakeBudget(bounds, calls=5)), tenant=TENANT)
    )


async def test_units_submitted_together_stand_or_fall_alone(store: Store) -> None:
    """A refusal reaches its caller only, and units apply in the order of the calls."""
    bounds = {"task_one": Budgets(calls=3)}
    one = Unit(changes=(TakeBudget(bounds, calls=1),), events=(an_event(task="task_one"),))
    results = await asyncio.gather(*(store.commit(one) for _ in range(5)), return_exceptions=True)
    assert [isinstance(result, BudgetExhausted) for result in results] == [False] * 3 + [True] * 2
    assert await store.size(TENANT) == 3
    assert await store.usage(TENANT, "task_one") == Usage(calls=3)


async def test_what_is_committed_at_once_comes_after_what_was_submitted_before(store: Store) -> None:
    """A commit that waits for no others changes neither the order nor what a refusal leaves, also beside
    commits that wait.
    """
    bounds = {"task_one": Budgets(calls=3)}
    one = Unit(changes=(TakeBudget(bounds, calls=1),), events=(an_event(task="task_one"),))
    behind = store.submit(Unit(events=(an_event(call="behind"),)))
    first = await store.commit(one, at_once=True)
    assert (await behind).indexes[0] < first.indexes[0]
    many = (store.commit(one, at_once=number > 0) for number in range(4))
    results = await asyncio.gather(*many, return_exceptions=True)
    assert [isinstance(result, BudgetExhausted) for result in results] == [False] * 2 + [True] * 2
    assert await store.size(TENANT) == 4


async def test_a_defect_in_one_unit_spares_the_others(store: Store) -> None:
    """An event that cannot be encoded refuses its own unit, with nothing of it kept."""
    bad = Unit(events=(an_event(), an_event(facts={"n": 2**60})))
    results = await asyncio.gather(
        store.commit(Unit(events=(an_event(),))),
        store.commit(bad),
        store.commit(Unit(events=(an_event(),))),
        return_exceptions=True,
    )
    assert isinstance(results[1], Malformed)
    assert await store.size(TENANT) == 2
    assert [entry.index for entry in await store.entries(TENANT)] == [0, 1]


async def test_a_fence_refuses_what_was_opened_before(store: Store) -> None:
    """After the commit that raised a scope's epoch, no unit under the old epoch passes; new ones do."""
    await store.commit(Unit(changes=(CheckFence({}, SCOPES),), tenant=TENANT))
    receipt = await store.commit(Unit(changes=(RaiseFence(TENANT, "agent:contract-bot"),)))
    assert receipt.epochs == {"agent:contract-bot": 1}
    assert store.epochs(TENANT) == {"agent:contract-bot": 1}
    with pytest.raises(Fenced, match="agent:contract-bot"):
        await store.commit(Unit(changes=(CheckFence({}, SCOPES),), tenant=TENANT))
    await store.commit(Unit(changes=(CheckFence({"agent:contract-bot": 1}, SCOPES),), tenant=TENANT))
    assert await store.fences(TENANT) == [Fence("agent:contract-bot", 1, False)]


async def test_a_fence_holds_within_the_batch_that_raises_it(store: Store) -> None:
    """A unit submitted after the fence, in the same moment, is refused; one before it is not."""
    check = Unit(changes=(CheckFence({}, SCOPES),), events=(an_event(),))
    before, _, after = await asyncio.gather(
        store.commit(check),
        store.commit(Unit(changes=(RaiseFence(TENANT, EVERYTHING),))),
        store.commit(check),
        return_exceptions=True,
    )
    assert not isinstance(before, BaseException)
    assert isinstance(after, Fenced)


async def test_live_epochs_rise_before_the_caller_goes_on(store: Store) -> None:
    """The mapping is one and the same object, and holds the new epoch when `commit` returns, not earlier."""
    live = store.epochs(TENANT)
    pending = store.submit(Unit(changes=(RaiseFence(TENANT, EVERYTHING),)))
    assert live == {}
    await pending
    assert live == {EVERYTHING: 1}
    assert store.epochs(TENANT) is live


async def test_a_locked_scope_takes_no_new_task_until_it_is_unlocked(store: Store) -> None:
    """A lock may come without a new epoch, and goes the same way."""
    scope = "agent:contract-bot"
    await store.commit(Unit(changes=(RaiseFence(TENANT, scope, locked=True, raise_epoch=False),)))
    assert await store.fences(TENANT) == [Fence(scope, 0, True)]
    with pytest.raises(Fenced, match="locked"):
        await store.commit(Unit(changes=(CheckUnlocked(SCOPES), PutTask(a_task()))))
    assert await store.task(TENANT, "task_one") is None
    await store.commit(Unit(changes=(RaiseFence(TENANT, scope, locked=False, raise_epoch=False),)))
    await store.commit(Unit(changes=(CheckUnlocked(SCOPES), PutTask(a_task()))))


async def test_a_budget_binds_a_task_and_its_ancestors(store: Store) -> None:
    """A child's spending counts against its parent; when one bound is passed, neither is charged."""
    bounds = {"child": Budgets(calls=10), "parent": Budgets(calls=2, effectful_calls=1)}
    await store.commit(take(bounds, calls=1, effectful_calls=1))
    with pytest.raises(BudgetExhausted, match="parent"):
        await store.commit(take(bounds, calls=1, effectful_calls=1))
    assert await store.usage(TENANT, "child") == Usage(calls=1, effectful_calls=1)
    await store.commit(take(bounds, calls=1))
    assert await store.usage(TENANT, "parent") == Usage(calls=2, effectful_calls=1)
    await store.commit(take(bounds, calls=-1))
    await store.commit(take(bounds, calls=1, result_bytes=500))
    assert await store.usage(TENANT, "parent") == Usage(2, 1, 500)


async def test_a_task_moves_only_from_the_state_it_is_in(store: Store) -> None:
    """A task that two would end is ended once."""
    task = a_task()
    await store.commit(Unit(changes=(PutTask(task),)))
    with pytest.raises(Conflict):
        await store.commit(Unit(changes=(PutTask(task),)))
    done = task.moved(TaskState.COMPLETED, START)
    await store.commit(Unit(changes=(PutTask(done, expected=TaskState.ACTIVE),)))
    with pytest.raises(Conflict):
        await store.commit(
            Unit(changes=(PutTask(task.moved(TaskState.REVOKED, START), expected=TaskState.ACTIVE),))
        )
    assert await store.task(TENANT, task.id) == done


async def test_a_label_that_was_raised_stays(store: Store) -> None:
    """Replacing a task does not lower its accumulated label; the label of an unknown task cannot be
    raised.
    """
    task, high = a_task(), Label("restricted", frozenset({"pii"}), Trust.UNTRUSTED, frozenset({"eu"}))
    await store.commit(Unit(changes=(PutTask(task), RaiseLabel(task.id, high))))
    await store.commit(
        Unit(changes=(PutTask(task.moved(TaskState.COMPLETED, START), expected=TaskState.ACTIVE),))
    )
    found = await store.task(TENANT, task.id)
    assert found is not None
    assert (found.label, found.state) == (high, TaskState.COMPLETED)
    with pytest.raises(NotFound):
        await store.commit(Unit(changes=(RaiseLabel("task_none", high),), tenant=TENANT))


async def test_tasks_are_found_by_agent_state_and_descent(store: Store) -> None:
    """Newest first; descendants at any depth."""
    parents = tuple(Ancestor(name, "contract-bot", "legal") for name in ("b", "a"))
    await store.commit(
        Unit(
            changes=(
                PutTask(a_task("a")),
                PutTask(a_task("b", lineage=(parents[1],), opened=START + timedelta(1))),
                PutTask(a_task("c", lineage=parents, opened=START + timedelta(2))),
                PutTask(a_task("d", agent="other-bot", state=TaskState.PROPOSED)),
            )
        )
    )
    assert [task.id for task in await store.with_descendants(TENANT, "a")] == ["a", "b", "c"]
    assert [task.id for task in await store.with_descendants(TENANT, "b")] == ["b", "c"]
    assert [task.id for task in await store.tasks(TENANT, agent="contract-bot", limit=2)] == ["c", "b"]
    assert [task.id for task in await store.tasks(TENANT, state=TaskState.PROPOSED)] == ["d"]


async def test_tasks_are_found_by_the_person_they_are_for(store: Store) -> None:
    """Tasks for a person are listed for every agent that does them; tasks for no person are not listed."""
    await store.commit(
        Unit(
            changes=(
                PutTask(a_task("e", on_behalf_of="lena")),
                PutTask(a_task("f", on_behalf_of="lena", agent="other-bot", opened=START + timedelta(1))),
                PutTask(a_task("g", on_behalf_of="")),
            )
        )
    )
    assert [task.id for task in await store.tasks(TENANT, on_behalf_of="lena")] == ["f", "e"]
    assert [task.id for task in await store.tasks(TENANT, on_behalf_of="lena", agent="other-bot")] == ["f"]
    assert await store.tasks(TENANT, on_behalf_of="leo") == []


async def test_a_unit_belongs_to_one_tenant(store: Store) -> None:
    """Events of two tenants in a unit, or a unit that names none, are a caller's defect."""
    with pytest.raises(ValueError, match="tenant"):
        await store.commit(Unit(events=(an_event(), an_event(tenant="other"))))
    with pytest.raises(ValueError, match="tenant"):
        await store.commit(Unit(changes=(CheckFence({}, SCOPES),)))
    assert await store.size(TENANT) == 0


async def test_a_caller_that_stops_waiting_does_not_take_its_unit_back(store: Store) -> None:
    """What was submitted is committed, and the others of its batch are answered."""
    cancelled = asyncio.ensure_future(store.commit(Unit(events=(an_event(),))))
    other = asyncio.ensure_future(store.commit(Unit(events=(an_event(EventKind.TASK_OPENED),))))
    await asyncio.sleep(0)
    cancelled.cancel()
    assert (await other).indexes == (1,)
    assert await store.size(TENANT) == 2


async def test_state_survives_a_restart(open_store: Open, tmp_path: Path) -> None:
    """Epochs, locks, budgets and used approvals are as they were; the writer is a new one."""
    store = open_store(tmp_path)
    bounds = {"task_one": Budgets(calls=2)}
    await store.commit(
        Unit(changes=(RaiseFence(TENANT, EVERYTHING, locked=True), TakeBudget(bounds, calls=2)))
    )
    first = store.writer
    await store.close()
    store = open_store(tmp_path, seed="second")
    assert store.writer != first
    assert store.epochs(TENANT) == {EVERYTHING: 1}
    with pytest.raises(Fenced):
        await store.commit(Unit(changes=(CheckUnlocked((EVERYTHING,)),), tenant=TENANT))
    with pytest.raises(BudgetExhausted):
        await store.commit(take(bounds, calls=1))
    await store.close()
