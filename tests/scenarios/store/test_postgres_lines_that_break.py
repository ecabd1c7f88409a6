# SPDX-License-Identifier: Apache-2.0
"""Two writers on one PostgreSQL, whose connections break, hang and crawl at any message, and what is on
record afterwards.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import pytest

from remit.adapters.store.postgres import PostgresStore, writer
from remit.core.errors import BudgetExhausted, CommitInDoubt, Fenced, StoreUnavailable
from remit.core.evidence.event import Event
from remit.core.evidence.merkle import Frontier, leaf_hash, new_tile_nodes
from remit.core.flow.stored_labels import StoredLabel
from remit.core.tasks.task import Budgets
from remit.ports.store.changes import CheckFence, PutStoredLabel, PutTask, RaiseFence, TakeBudget
from remit.ports.store.log import Entry
from remit.ports.store.units import Unit
from tests.faults.dicing_proxy import DicingProxy
from tests.servers.postgres_server import PostgresServer
from tests.worlds.stores import opened_postgres
from tests.worlds.values import START, TENANT, WorldClock, a_permit, a_task, an_event, an_outcome

SHARED = Budgets(calls=60)


class Trial:
    """Callers of two stores, and what each was told."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.dice = random.Random(seed)
        #: By the name of each unit: its index where it was confirmed, -1 where it was refused for certain.
        self.told: dict[str, int] = {}
        self.asked: Counter[str] = Counter()
        self.number = 0
        self.held: list[str] = []

    def _name(self, kind: str) -> str:
        self.number += 1
        self.asked[kind] += 1
        return f"{kind}_{self.number}"

    async def commit(self, store: PostgresStore, name: str, *changes: object, event: Event) -> bool:
        """Commit a unit of one event, and note what its caller was told."""
        try:
            receipt = await store.commit(Unit(tuple(changes), (event,)))  # type: ignore[arg-type]
        except (Fenced, BudgetExhausted):
            self.told[name] = -1
        except StoreUnavailable as fault:
            if not isinstance(fault, CommitInDoubt):
                self.told[name] = -1
        else:
            (self.told[name],) = receipt.indexes
            return True
        return False

    async def call(self, store: PostgresStore, mine: str) -> None:
        """A call as step 5 commits it, and its outcome."""
        dice, name = self.dice, self._name("call")
        scope, subject = f"scope:{dice.randrange(4)}", f"subject_{dice.randrange(3)}"
        tasks = {f"{mine}_{dice.randrange(3)}": Budgets(), f"shared_{dice.randrange(2)}": SHARED}
        task = dice.choice(list(tasks))
        facts = {"outcome": "permit", "tasks": list(tasks), "scope": scope, "subject": subject, "name": name}
        if dice.randrange(20) == 0:
            facts["long"] = "x" * 400_000
        if await self.commit(
            store,
            name,
            CheckFence({}, (scope,)),
            TakeBudget(tasks, calls=1),
            event=a_permit(name, task, facts=facts, subject=subject),
        ):
            self.told[f"of_{name}"] = -2
            event = an_outcome(name, task, facts={"outcome": "ok", "name": f"of_{name}"})
            try:
                (self.told[f"of_{name}"],) = (await store.submit(Unit(events=(event,)))).indexes
            except StoreUnavailable:
                del self.told[f"of_{name}"]

    async def look(self, store: PostgresStore) -> None:
        """Write a label at rest, or read them: what was confirmed before the question is in the answer."""
        if self.dice.randrange(2):
            name = self._name("held")
            stored_label = StoredLabel(tenant=TENANT, upstream="files", resource=name, changed=START)
            if await self.commit(
                store, name, PutStoredLabel(stored_label), event=an_event(facts={"name": name})
            ):
                self.held.append(name)
            return
        known = set(self.held)
        self.asked["read"] += 1
        try:
            found, _ = await self.fleets[store.writer].stored_labels_since("files", 0)
        except StoreUnavailable:
            return
        assert known <= {one.resource for one in found}

    async def change(self, store: PostgresStore) -> None:
        """What looks at tables: a new task, a fence, a subject that is forgotten."""
        which = self.dice.randrange(6)
        name = self._name(("task", "task", "task", "task", "fence", "forget")[which])
        if which < 4:
            task = PutTask(a_task(name))
            await self.commit(store, name, task, event=an_event(task=name, facts={"name": name}))
        elif which == 4:
            # Never the last scope, so that calls go on.
            scope = f"scope:{self.dice.randrange(3)}"
            event = an_event(facts={"name": name, "fence": scope})
            await self.commit(store, name, RaiseFence(TENANT, scope), event=event)
        else:
            subject = f"subject_{self.dice.randrange(3)}"
            event = an_event(facts={"name": name, "forgot": subject})
            try:
                if not await store.forget(TENANT, subject, event):
                    self.told[name] = -1
            except StoreUnavailable:
                pass

    async def caller(self, store: PostgresStore, mine: str, rounds: int) -> None:
        """One after the other, whatever each is told."""
        for _ in range(rounds):
            what = self.dice.randrange(12)
            if what < 9:
                await self.call(store, mine)
            elif what < 11:
                await self.look(store)
            else:
                await self.change(store)

    async def run(self, stores: Iterable[PostgresStore], callers: int, rounds: int) -> None:
        """All of them at once."""
        stores = list(stores)
        self.fleets = {store.writer: store.fleet(TENANT, WorldClock()) for store in stores}
        await asyncio.gather(
            *(
                self.caller(store, f"own_{number}", rounds)
                for number, store in enumerate(stores)
                # Every third time one has little to say, so that the other's batches go as a whole.
                for _ in range(callers if number == 0 or self.seed % 3 else 1)
            )
        )


def check_told(trial: Trial, entries: list[Entry]) -> None:
    """What was confirmed is there once, where it was said to be; what was refused is not there."""
    where: dict[str, list[int]] = {}
    for entry in entries:
        where.setdefault(json.loads(entry.leaf)["facts"]["name"], []).append(entry.index)
    for name, index in trial.told.items():
        assert where.get(name, []) == ([index] if index >= 0 else []), name
    assert all(len(found) == 1 for found in where.values())


def check_chains(entries: list[Entry]) -> None:
    """Each event names the one before it of its writer, and of its task."""
    before: dict[tuple[str, str], str] = {}
    sequences: Counter[str] = Counter()
    for number, entry in enumerate(entries):
        record = json.loads(entry.leaf)
        assert entry.index == number
        mine, task = ("writer", record["writer"]), ("task", record.get("task", ""))
        assert record["prev"] == before.get(mine, "")
        assert record["seq"] == sequences[record["writer"]]
        before[mine] = entry.leaf_hash.hex()
        sequences[record["writer"]] += 1
        if task[1]:
            assert record["task_prev"] == before.get(task, "")
            before[task] = entry.leaf_hash.hex()


def check_meaning(entries: list[Entry]) -> Counter[str]:
    """No permit after the fence of its scope, none that is opened after its subject was forgotten, and all
    that is sealed later is; gives the calls of each task.
    """
    fenced, forgotten, calls = set[str](), dict[str, int](), Counter[str]()
    facts = [json.loads(entry.leaf)["facts"] for entry in entries]
    for index, fact in enumerate(facts):
        if "forgot" in fact:
            forgotten[fact["forgot"]] = index
    for entry, fact in zip(entries, facts, strict=True):
        fenced |= {fact["fence"]} if "fence" in fact else set()
        if "scope" in fact:
            assert fact["scope"] not in fenced
            assert (entry.opened is not None) == (entry.index > forgotten.get(fact["subject"], -1))
            calls.update(fact["tasks"])
    return calls


class Size(NamedTuple):
    """How long a trial is, and how much goes wrong."""

    callers: int
    rounds: int
    odds: int
    longest_s: float


async def breaks(postgres: str, server: PostgresServer, seed: int, size: Size) -> None:
    """One trial, and what must be true after it."""
    proxies = [DicingProxy(server.port, f"{seed} {number}", longest_s=size.longest_s) for number in range(2)]
    urls = [postgres.replace(f":{server.port}/", f":{proxy.port}/") + "?sslmode=disable" for proxy in proxies]
    stores = [opened_postgres(url, f"{seed} {number}") for number, url in enumerate(urls)]
    trial = Trial(seed)
    for proxy in proxies:
        proxy.odds = size.odds
    await trial.run(stores, size.callers, size.rounds)
    for proxy in proxies:
        proxy.odds = 0
    for store in stores:
        await store.close()
    for proxy in proxies:
        proxy.close()
    after = opened_postgres(postgres, "after")
    entries = await after.entries(TENANT, limit=100_000, opened=True)
    check_told(trial, entries)
    check_chains(entries)
    calls = check_meaning(entries)
    for task, number in calls.items():
        assert (await after.usage(TENANT, task)).calls == number
        assert number <= 60 or task.startswith("own")
    tree, _ = new_tile_nodes(Frontier(), [leaf_hash(entry.leaf) for entry in entries])
    assert await after.root(TENANT) == (tree.size, tree.root())
    records = [json.loads(entry.leaf) for entry in entries]
    done = {one["call"] for one in records if one["kind"] == "tool.called"}
    opened_still = [
        one["call"] for one in records if one["kind"] == "decision.made" and one["call"] not in done
    ]
    assert [event.call for event in await after.unfinished(TENANT)] == opened_still
    await after.close()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Shorten the waits; and with even seeds send each batch as a whole first, if possible."""
    monkeypatch.setattr(writer, "DOUBT_S", 2.0)
    monkeypatch.setattr(writer, "BATCH_S", 3.0)
    monkeypatch.setattr(writer, "CALM", 0 if request.getfixturevalue("seed") % 2 == 0 else 3)


@pytest.mark.parametrize("seed", range(2))
async def test_lines_that_break_at_any_message_change_nothing_of_what_callers_were_told(
    postgres: str, postgres_server: PostgresServer, seed: int
) -> None:
    """Confirmed is on record once, refused is not; chains, tree, counters and fences agree with the log."""
    await breaks(postgres, postgres_server, seed, Size(callers=4, rounds=6, odds=120, longest_s=0.2))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1030))
async def test_lines_that_break_many_times_change_nothing(
    postgres: str, postgres_server: PostgresServer, seed: int
) -> None:
    """The same, for longer."""
    odds, longest_s = (15, 40, 100)[seed % 3], (0.1, 1.0)[seed // 2 % 2]
    await breaks(postgres, postgres_server, seed, Size(6, 40, odds, longest_s))
