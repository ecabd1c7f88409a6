# SPDX-License-Identifier: Apache-2.0
"""What every store keeps of the history of a family of tasks (`CountHistory`)."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from remit.core.errors import BudgetExhausted
from remit.core.tasks.history import MOST, HistoryEntry, merged
from remit.core.tasks.task import Budgets, TaskState
from remit.ports.store.changes import CountHistory, PutTask, TakeBudget
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from tests.conformance.stores import Open, each_store
from tests.worlds.values import TENANT, a_task, an_event

pytestmark = each_store


def entry(amount: int, at_ms: int, part: str = "", *, task: str = "", same: str = "") -> HistoryEntry:
    """Return an entry of the counter `sent`."""
    return HistoryEntry(task, "sent@1", same, part, amount, at_ms)


def counting(*entries: HistoryEntry, family: str = "task_one", tenant: str = TENANT) -> Unit:
    """Return a unit that counts."""
    return Unit((CountHistory(tenant, family, entries),), (an_event(tenant=tenant),))


async def kept(store: Store, family: str = "task_one") -> list[HistoryEntry]:
    """Return what is kept of a family, in the order of the entries."""
    return sorted(await store.history(TENANT, family, limit=100))


async def test_entries_of_one_time_add_up_and_a_later_one_replaces_them(store: Store) -> None:
    """An earlier one changes nothing, and what is too large stays at the largest amount."""
    await store.commit(counting(entry(2, 5), entry(3, 5)))
    await store.commit(counting(entry(4, 5)))
    assert await kept(store) == [entry(9, 5)]
    await store.commit(counting(entry(1, 8)))
    await store.commit(counting(entry(50, 5)))
    assert await kept(store) == [entry(1, 8)]
    await store.commit(counting(entry(MOST, 8)))
    await store.commit(counting(entry(MOST, 8)))
    assert await kept(store) == [entry(MOST, 8)]


async def test_the_table_merges_as_the_core_does(store: Store) -> None:
    """Any order of additions, in one batch or in several, gives what `merged` gives."""
    additions = [(3, 5), (4, 5), (1, 9), (7, 2), (2, 9), (MOST, 9), (1, 9), (5, 10), (6, 10)]
    expected: tuple[int, int] | None = None
    for amount, at_ms in additions:
        expected = merged(expected, amount, at_ms)
        await store.commit(counting(entry(amount, at_ms, "alone")))
    await asyncio.gather(*(store.commit(counting(entry(*one, "batch"))) for one in additions))
    assert expected is not None
    assert await kept(store) == [entry(*expected, "alone"), entry(*expected, "batch")]


async def test_entries_have_a_place_each(store: Store) -> None:
    """Tenants, families, tasks, equal arguments and parts are apart; the latest entries come first."""
    apart = (entry(1, 1), entry(1, 2, "a"), entry(1, 3, same="x"), entry(1, 4, task="task_two"))
    await store.commit(counting(*apart))
    await store.commit(counting(entry(1, 1), family="task_other"))
    await store.commit(counting(entry(1, 1), tenant="other"))
    assert await kept(store) == sorted(apart)
    assert await store.history(TENANT, "task_one", limit=2) == [apart[3], apart[2]]


async def test_a_refused_unit_counts_nothing(store: Store) -> None:
    """Neither alone nor beside others of its batch."""
    full = TakeBudget({"task_one": Budgets(calls=0)}, calls=1)
    refused = Unit((CountHistory(TENANT, "task_one", (entry(1, 0),)), full), (an_event(),))
    done = await asyncio.gather(
        store.commit(counting(entry(1, 0))),
        store.commit(refused),
        store.commit(counting(entry(1, 0))),
        return_exceptions=True,
    )
    assert isinstance(done[1], BudgetExhausted)
    assert await kept(store) == [entry(2, 0)]
    with pytest.raises(BudgetExhausted):
        await store.commit(refused)
    assert await kept(store) == [entry(2, 0)]


async def test_a_history_outlives_a_restart(open_store: Open, tmp_path: Path) -> None:
    """What was counted is there after the store was opened again, and goes on."""
    first = open_store(tmp_path)
    await first.commit(counting(entry(2, 0), entry(1, 7, "a")))
    await first.close()
    second = open_store(tmp_path, seed="second")
    await second.commit(counting(entry(3, 0)))
    assert await kept(second) == [entry(5, 0), entry(1, 7, "a")]
    await second.close()


async def test_a_history_ends_with_the_root_task(store: Store) -> None:
    """Digests of arguments are kept for as long as a decision may need them."""
    task = a_task()
    await store.commit(Unit((PutTask(task),)))
    await store.commit(counting(entry(1, 0), family=task.id))
    await store.commit(counting(entry(1, 0), family="task_other"))
    ended = msgspec.structs.replace(task, state=TaskState.COMPLETED)
    await store.commit(Unit((PutTask(ended, expected=TaskState.ACTIVE),)))
    assert await kept(store, task.id) == []
    assert await kept(store, "task_other") == [entry(1, 0)]
