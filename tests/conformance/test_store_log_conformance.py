# SPDX-License-Identifier: Apache-2.0
"""What every store keeps to as a log: leaves, chains, proofs, sealed values, restarts
(`ports.store.store.Store`).
"""

import asyncio
import hashlib
import json
from collections import Counter
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.adapters.log.file import FileHeadKeeper
from remit.core.canonical import encode
from remit.core.errors import ChangedMeanwhile, VerificationFailed
from remit.core.evidence.event import EventKind
from remit.core.evidence.merkle import EMPTY_ROOT, leaf_hash, verify_consistency, verify_inclusion
from remit.ports.evidence.log import Head
from remit.ports.store.log import EventSearch
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from tests.conformance.stores import Open, each_store
from tests.worlds.values import START, TENANT, WorldSealingKeys, a_permit, an_event, an_outcome

pytestmark = each_store


def mth(leaves: list[bytes]) -> bytes:
    """The tree hash exactly as RFC 6962 section 2.1 defines it."""
    if len(leaves) <= 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest() if leaves else hashlib.sha256(b"").digest()
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


async def all_leaves(store: Store) -> list[bytes]:
    """Return every leaf of the log."""
    return [entry.leaf for entry in await store.entries(TENANT, limit=10**6)]


async def test_the_empty_log_has_the_empty_root(store: Store) -> None:
    """RFC 6962 section 2.1: the hash of an empty list is the hash of an empty string."""
    assert await store.root(TENANT) == (0, EMPTY_ROOT)


async def test_events_become_leaves_in_the_order_of_the_calls(store: Store) -> None:
    """Each has the next index, in canonical bytes, under the hash that the tree uses."""
    first = await store.commit(Unit(events=(an_event(), an_event(EventKind.TASK_OPENED))))
    second = await store.commit(Unit(events=(an_event(EventKind.TASK_ENDED),)))
    assert (first.indexes, second.indexes) == ((0, 1), (2,))
    entries = await store.entries(TENANT)
    assert [entry.kind for entry in entries] == ["task.message", "task.opened", "task.ended"]
    for entry in entries:
        assert encode(json.loads(entry.leaf)) == entry.leaf
        assert entry.leaf_hash == leaf_hash(entry.leaf)
    assert await store.root(TENANT) == (3, mth([entry.leaf for entry in entries]))


async def test_leaves_are_chained_per_writer_and_per_task(store: Store) -> None:
    """`prev` and `task_prev` name the leaf before, `seq` counts from 0."""
    for task in ("a", "b", "a", "", "a", "b"):
        await store.commit(Unit(events=(an_event(task=task),)))
    entries = await store.entries(TENANT)
    records = [json.loads(entry.leaf) for entry in entries]
    hashes = [entry.leaf_hash.hex() for entry in entries]
    assert {record["writer"] for record in records} == {store.writer}
    assert [record["seq"] for record in records] == list(range(6))
    assert [record["prev"] for record in records] == ["", *hashes[:-1]]
    assert [record.get("task_prev") for record in records] == ["", "", hashes[0], None, hashes[2], hashes[1]]


async def test_events_are_found_by_kind_task_and_place(store: Store) -> None:
    """The filters work together, in order, and stop at the limit."""
    for n in range(6):
        call = f"call_{n}"
        task = f"task_{n % 2}"
        await store.commit(Unit(events=(a_permit(call, task), an_outcome(call, task), an_event(task=task))))

    async def found(**wanted: object) -> list[int]:
        return [entry.index for entry in await store.entries(TENANT, **wanted)]  # type: ignore[arg-type]

    assert await found(start=16) == [16, 17]
    assert await found(start=2, limit=2) == [2, 3]
    assert await found(kinds=["tool.called"]) == [1, 4, 7, 10, 13, 16]
    assert await found(kinds=["task.message"], start=6) == [8, 11, 14, 17]
    assert await found(kinds=["task.message", "tool.called"], limit=3) == [1, 2, 4]
    assert await found(task="task_1") == [3, 4, 5, 9, 10, 11, 15, 16, 17]
    assert await found(task="task_1", start=5, limit=2) == [5, 9]
    assert await found(task="task_1", kinds=["tool.called"], start=5) == [10, 16]
    assert await found(task="task_9") == []
    assert await found(start=18) == []


async def test_the_last_events_below_a_place_are_found(store: Store) -> None:
    """In order, and under a filter the last that pass it, however many others came after them."""
    for number in range(6):
        task = "task_one" if number % 2 else "task_two"
        kind = EventKind.TASK_MESSAGE if number < 3 else EventKind.TASK_ENDED
        await store.commit(Unit(events=(an_event(kind, task=task),)))

    async def found(**wanted: Any) -> list[int]:
        return [entry.index for entry in await store.entries(TENANT, **wanted)]

    assert await found(before=6, limit=2) == [4, 5]
    assert await found(before=4, limit=10) == [0, 1, 2, 3]
    assert await found(before=0) == []
    assert await found(before=99, limit=2, kinds=("task.message",)) == [1, 2]
    assert await found(before=99, limit=2, task="task_one") == [3, 5]
    assert await found(before=5, limit=1, task="task_one") == [3]
    assert await found(before=99, limit=1, task="task_one", kinds=("task.message",)) == [1]
    assert await found(before=99, limit=2, task="unheard-of") == []


async def test_proofs_of_a_log_over_several_tiles_verify(store: Store) -> None:
    """Inclusion of each kind of place, and consistency between sizes, against roots computed from scratch."""
    await asyncio.gather(*(store.commit(Unit(events=(an_event(facts={"n": n}),))) for n in range(600)))
    leaves = await all_leaves(store)
    size, root = await store.root(TENANT)
    assert (size, root) == (600, mth(leaves))
    for index in (0, 1, 255, 256, 511, 512, 598, 599):
        proof = await store.inclusion(TENANT, index, size)
        verify_inclusion(leaf_hash(leaves[index]), index, size, proof, root)
    for old in (1, 2, 255, 256, 257, 512, 513, 599, 600):
        proof = await store.consistency(TENANT, old, size)
        verify_consistency(old, size, proof, mth(leaves[:old]), root)
        old_proof = await store.inclusion(TENANT, old - 1, old)
        verify_inclusion(leaf_hash(leaves[old - 1]), old - 1, old, old_proof, mth(leaves[:old]))
    assert await store.hashes(TENANT, 0, 512, 256) == [leaf_hash(leaf) for leaf in leaves[512:]]
    assert await store.hashes(TENANT, 8, 0, 256) == [mth(leaves[:256]), mth(leaves[256:512])]
    assert await store.hashes(TENANT, 16, 0, 256) == []
    with pytest.raises(VerificationFailed):
        await store.inclusion(TENANT, 600, 600)
    with pytest.raises(VerificationFailed):
        await store.inclusion(TENANT, 0, 1000)


async def test_a_log_goes_on_after_a_restart(open_store: Open, tmp_path: Path) -> None:
    """Indexes and tree go on; the new writer's chain begins again, the task's does not."""
    for run in range(3):
        store = open_store(tmp_path, seed=str(run))
        for n in range(300):
            await store.commit(Unit(events=(an_event(task="task_one", facts={"n": n}),)))
        await store.close()
    store = open_store(tmp_path, seed="last")
    entries = await store.entries(TENANT, limit=10**6)
    assert [entry.index for entry in entries] == list(range(900))
    assert await store.root(TENANT) == (900, mth([entry.leaf for entry in entries]))
    records = [json.loads(entry.leaf) for entry in entries]
    assert [records[n]["seq"] for n in (299, 300, 600)] == [299, 0, 0]
    assert records[300]["prev"] == ""
    assert records[300]["task_prev"] == entries[299].leaf_hash.hex()
    await store.close()


async def test_sealed_values_are_in_no_leaf_and_open_for_who_may(store: Store) -> None:
    """The leaf holds commitments; the blob opens only when it is asked for."""
    await store.commit(Unit(events=(a_permit("call_one"), an_event())))
    closed = await store.entries(TENANT)
    assert closed[0].sealed is not None
    assert (closed[0].opened, closed[0].subject) == (None, "lena")
    assert (closed[1].sealed, closed[1].opened) == (None, None)
    assert b"C-42" not in closed[0].leaf + closed[0].sealed
    assert set(json.loads(closed[0].leaf)["sealed"]) == {"arguments", "amount"}
    opened = await store.entries(TENANT, opened=True)
    assert opened[0].opened == {"arguments": {"path": "contracts/C-42.md"}, "amount": 1.5}


async def test_a_forgotten_subject_can_never_be_read_again(open_store: Open, tmp_path: Path) -> None:
    """Its values and its name are gone, proofs still hold, others are untouched, and it may begin again."""
    store = open_store(tmp_path)
    await store.commit(Unit(events=(a_permit("call_one"), a_permit("call_two", subject="omar"))))
    root = await store.root(TENANT)
    assert await store.forget(TENANT, "lena")
    assert not await store.forget(TENANT, "lena")
    assert not await store.forget("other", "omar")
    lena, omar = await store.entries(TENANT, opened=True)
    assert (lena.opened, lena.subject) == (None, "")
    assert omar.opened is not None
    assert await store.root(TENANT) == root
    await store.commit(Unit(events=(a_permit("call_three"),)))
    await store.close()
    store = open_store(tmp_path, seed="second")
    opened = [entry.opened is not None for entry in await store.entries(TENANT, opened=True)]
    assert opened == [False, True, True]
    await store.close()


async def test_what_tells_of_a_forgetting_is_committed_with_it(open_store: Open, tmp_path: Path) -> None:
    """Without a subject to forget, nothing is committed. A value that the event itself seals is sealed with a
    new key, even under the forgotten name.
    """
    store = open_store(tmp_path)
    await store.commit(Unit(events=(a_permit("call_one"),)))
    told = an_event(EventKind.SUBJECT_FORGOTTEN, subject="lena", sealed={"by": "lena"})
    assert not await store.forget(TENANT, "omar", told)
    assert await store.size(TENANT) == 1
    assert await store.forget(TENANT, "lena", told)
    first, second = await store.entries(TENANT, opened=True)
    assert (first.opened, second.opened) == (None, {"by": "lena"})
    await store.close()


async def test_keys_of_subjects_are_wrapped_anew_in_steps(open_store: Open, tmp_path: Path) -> None:
    """Each step looks at as many of a tenant as it was told; after the last one the tenant needs the old
    sealing key no more. Another tenant's keys stay as they are.
    """
    sealing = WorldSealingKeys()
    store = open_store(tmp_path, sealing=sealing)
    for number in range(7):
        await store.commit(Unit(events=(a_permit(f"call_{number}", subject=f"subject-{number}"),)))
    await store.commit(Unit(events=(a_permit("call_other", tenant="other", subject="subject-0"),)))
    old = sealing.current
    await sealing.rotate()
    await store.commit(Unit(events=(a_permit("call_after", subject="after"),)))
    steps, reached = 1, await store.rewrap(TENANT, limit=3)
    while reached is not None:
        steps, reached = steps + 1, await store.rewrap(TENANT, reached, 3)
    assert steps == 3
    assert await store.rewrap("other", limit=1) is not None
    assert await store.rewrap("other", limit=2) is None
    await sealing.retire(old)
    for tenant, count in ((TENANT, 8), ("other", 1)):
        opened = await store.entries(tenant, opened=True)
        assert [one.opened is not None for one in opened] == [True] * count
    await store.close()
    store = open_store(tmp_path, seed="second", sealing=sealing)
    assert (await store.entries(TENANT, opened=True))[0].opened is not None
    await store.close()


async def test_a_permit_without_outcome_is_found(open_store: Open, tmp_path: Path) -> None:
    """Also after a restart, however long ago; one that has its outcome, or was no permit, is not."""
    store = open_store(tmp_path)
    await store.commit(Unit(events=(a_permit("old"), a_permit("done"), a_permit("seen"))))
    denied = msgspec.structs.replace(a_permit("denied"), facts={"outcome": "deny"})
    observed = msgspec.structs.replace(a_permit("observed"), facts={"outcome": "deny", "observed": True})
    await store.commit(Unit(events=(an_outcome("done"), denied, observed)))
    for n in range(300):
        await store.commit(Unit(events=(a_permit(f"call_{n}"), an_outcome(f"call_{n}"))))
    pending = store.submit(Unit(events=(an_outcome("seen"),)))
    assert [event.call for event in await store.unfinished(TENANT)] == ["old", "observed"]
    await pending
    await store.close()
    store = open_store(tmp_path, seed="second")
    found = await store.unfinished(TENANT)
    assert [event.call for event in found] == ["old", "observed"]
    assert found[0] == msgspec.structs.replace(a_permit("old"), sealed={}, subject="")
    assert await store.unfinished("other") == []
    await store.commit(Unit(events=(an_outcome("old"),)))
    assert [event.call for event in await store.unfinished(TENANT)] == ["observed"]
    await store.close()


async def test_a_log_behind_its_signed_head_is_refused(open_store: Open, tmp_path: Path) -> None:
    """A store that was rolled back, emptied or exchanged does not start."""
    heads = FileHeadKeeper(tmp_path / "heads")
    ours, theirs, empty = tmp_path / "ours", tmp_path / "theirs", tmp_path / "empty"
    signed: list[Head] = []
    for folder, count in ((ours, 3), (theirs, 5)):
        folder.mkdir()
        store = open_store(folder, heads=heads)
        for n in range(count):
            await store.commit(Unit(events=(an_event(facts={"of": folder.name, "n": n}),)))
        signed.append(Head(*await store.root(TENANT), note="a signed note"))
        await store.close()
    empty.mkdir()
    await heads.swap(TENANT, None, signed[0])
    await open_store(ours, heads=heads).close()
    with pytest.raises(VerificationFailed, match="does not begin with"):
        open_store(theirs, heads=heads)
    with pytest.raises(VerificationFailed, match="has 0 events, but 3 were signed"):
        open_store(empty, heads=heads)
    await heads.swap(TENANT, signed[0], signed[1])
    with pytest.raises(VerificationFailed, match="has 3 events, but 5 were signed"):
        open_store(ours, heads=heads)


async def _of_two_days(store: Store) -> None:
    """Twelve calls, two each hour; each odd one is refused. Their events alternate between two agents."""
    for number in range(12):
        call, task = f"call_{number}", f"task_{number % 2}"
        at = START + timedelta(hours=number // 2)
        agent, tool = ("contract-bot", "files/read") if number % 3 else ("mail-bot", "mail/send")
        known: dict[str, Any] = {"at": at, "agent": agent}
        refused = bool(number % 2)
        decided = {"outcome": "deny" if refused else "permit", "tool": tool}
        events = [a_permit(call, task, facts=decided, **known)]
        if not refused:
            events.append(an_outcome(call, task, facts={"outcome": "ok", "tool": tool}, **known))
        await store.commit(Unit(events=tuple(events)))


async def test_events_are_searched_by_time_agent_tool_and_outcome(store: Store) -> None:
    """From the front and from the back, in order, whatever part of the log one read looks at."""
    await _of_two_days(store)

    async def found(most: int, *, back: bool = False, limit: int = 100, **wanted: Any) -> list[int]:
        at: int | None = 10**6 if back else 0
        out: list[int] = []
        while at is not None and len(out) < limit:
            place = {"before": at} if back else {"start": at}
            part = await store.search(
                TENANT, EventSearch(**wanted), limit=limit - len(out), most=most, **place
            )
            assert len(part.entries) <= most
            indexes = [one.index for one in part.entries]
            out = indexes + out if back else out + indexes
            at = part.reached
        return out

    every = await found(100)
    assert every == list(range(18))
    two = START + timedelta(hours=2)
    asked: list[tuple[dict[str, Any], list[int]]] = [
        ({"since": two, "until": two + timedelta(hours=1)}, [6, 7, 8]),
        ({"agent": "mail-bot"}, [0, 1, 5, 9, 10, 14]),
        ({"tool": "mail/send"}, [0, 1, 5, 9, 10, 14]),
        ({"tool": "mail"}, [0, 1, 5, 9, 10, 14]),
        ({"tool": "mai"}, []),
        ({"outcome": "deny"}, [2, 5, 8, 11, 14, 17]),
        ({"outcome": "deny", "agent": "mail-bot"}, [5, 14]),
        ({"outcome": "ok", "since": two}, [7, 10, 13, 16]),
        ({"kinds": ("tool.called",), "task": "task_0", "until": two}, [1, 4]),
        ({"task": "task_1", "outcome": "deny", "since": two}, [8, 11, 14, 17]),
        ({"person": "lena"}, [0, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17]),
        ({"person": "omar"}, []),
    ]
    for wanted, expected in asked:
        for most in (1, 4, 100):
            assert await found(most, **wanted) == expected, wanted
            assert await found(most, back=True, **wanted) == expected, wanted
        assert await found(4, limit=2, **wanted) == expected[:2], wanted
        assert await found(4, limit=2, back=True, **wanted) == expected[-2:], wanted


async def test_a_search_finds_what_was_committed_a_little_late(store: Store) -> None:
    """The clocks of two replicas differ: neighbours in the log are out of order by a few minutes."""
    late = timedelta(minutes=4)
    for number in range(200):
        at = START + timedelta(minutes=number) + (late if number % 2 else -late)
        await store.commit(Unit(events=(an_event(at=at),)))
    since, until = START + timedelta(minutes=50), START + timedelta(minutes=150)
    part = await store.search(TENANT, EventSearch(since=since, until=until), limit=1000, most=1000)
    expected = [
        number
        for number in range(200)
        if since <= START + timedelta(minutes=number) + (late if number % 2 else -late) < until
    ]
    assert [one.index for one in part.entries] == expected


async def test_the_events_of_one_call_are_found(store: Store) -> None:
    """Its decision and its outcome, and nothing of any other."""
    await store.commit(Unit(events=(a_permit("call_1"), a_permit("call_2"), an_outcome("call_1"))))
    found = await store.search(TENANT, EventSearch(call="call_1"))
    assert [one.index for one in found.entries] == [0, 2]


async def test_a_search_opens_values(store: Store) -> None:
    """As far as they can still be read."""
    await _of_two_days(store)
    part = await store.search(TENANT, EventSearch(outcome="deny"), limit=1)
    assert part.entries[0].opened == {"arguments": {"path": "contracts/C-42.md"}, "amount": 1.5}


async def test_an_event_that_uses_a_name_for_something_else_is_no_match(store: Store) -> None:
    """Of an opened task, `tools` is a number."""
    facts = {"tools": 3, "outcome": {"a": 1}, "tool": ["files/read"]}
    await store.commit(Unit(events=(an_event(EventKind.TASK_OPENED, facts=facts), a_permit("call_1"))))
    for wanted in (EventSearch(tool="files/read"), EventSearch(outcome="permit")):
        found = await store.search(TENANT, wanted)
        assert [one.index for one in found.entries] == [1]


async def test_calls_are_counted_by_tool_and_day(store: Store) -> None:
    """Days are those of a time zone. Calls in observe mode and refusals that were only counted are included;
    those of several tools have no tool.
    """
    await _of_two_days(store)
    observed = {"outcome": "deny", "observed": True, "tool": "mail/send"}
    counted = {"count": 40, "codes": ["not-granted"], "tools": ["mail/send"]}
    mixed = {"count": 2, "codes": ["not-granted"], "tools": ["mail/send", "files/read"]}
    await store.commit(
        Unit(
            events=(
                a_permit("call_90", facts=observed),
                an_event(EventKind.REFUSALS_COUNTED, facts=counted),
                an_event(EventKind.REFUSALS_COUNTED, facts=mixed),
            )
        )
    )
    day = START.date().isoformat()

    async def told(most: int, zone: timedelta = timedelta(), **wanted: Any) -> dict[tuple[str, str], Any]:
        sums: dict[tuple[str, str], tuple[Counter[str], Counter[str]]] = {}
        at: int | None = 0
        while at is not None:
            part = await store.tally(TENANT, EventSearch(**wanted), zone=zone, start=at, most=most)
            for one in part.tallies:
                sum_of = sums.setdefault((one.day, one.tool), (Counter(), Counter()))
                sum_of[0].update(one.decided)
                sum_of[1].update(one.ended)
            at = part.reached
        return {key: (dict(one), dict(other)) for key, (one, other) in sums.items()}

    whole = {
        (day, "files/read"): ({"permit": 4, "deny": 4}, {"ok": 4}),
        (day, "mail/send"): ({"permit": 2, "deny": 42, "observed": 1}, {"ok": 2}),
        (day, ""): ({"deny": 2}, {}),
    }
    for most in (3, 1000):
        assert await told(most) == whole
    assert await told(1000, tool="files") == {key: whole[key] for key in whole if key[1] != "mail/send"}
    midnight = datetime.combine(START.date() + timedelta(days=1), time.min, START.tzinfo)
    moved = await told(1000, zone=midnight - START - timedelta(hours=3), tool="files")
    assert {key[0] for key in moved} == {day, midnight.date().isoformat()}


async def test_events_are_searched_by_the_data_that_they_name(open_store: Open, tmp_path: Path) -> None:
    """From both ends, over blocks that name it and those that do not, and over a restart; what another kind
    calls a class is no class.
    """
    store, expected = open_store(tmp_path), dict[str, list[int]]()
    read = {"tool": "files/read", "categories": ["pii"]}
    marked = {5: "restricted", 1023: "restricted", 1024: "secret", 4_700: "restricted", 5_119: "restricted"}
    size = 5_600
    for first in range(0, size, 700):
        if first == 2_800:
            await store.close()
            store = open_store(tmp_path, seed="second")
        events = []
        for index in range(first, first + 700):
            facts: dict[str, Any] = {"tool": "files/read", "class": "public"}
            if index in marked:
                facts = {**read, "class": marked[index]}
                expected.setdefault(marked[index], []).append(index)
            elif index % 1_500 == 7:
                facts = {"class": {"a": 1}, "categories": "pii"}
            events.append(an_event(EventKind.DATA_READ, facts=facts))
        await store.commit(Unit(events=tuple(events)))

    async def found(most: int, *, back: bool, **wanted: Any) -> tuple[list[int], int]:
        at: int | None = 10**6 if back else 0
        out, parts = list[int](), 0
        while at is not None:
            place = {"before": at} if back else {"start": at}
            part = await store.search(TENANT, EventSearch(**wanted), most=most, **place)
            indexes = [one.index for one in part.entries]
            out, at, parts = (indexes + out if back else out + indexes), part.reached, parts + 1
        return out, parts

    restricted, secret = expected["restricted"], expected["secret"]
    for back in (False, True):
        for wanted, indexes, most_parts in (
            ({"data_class": "restricted"}, restricted, 3),
            ({"data_class": "restricted", "kinds": ("data.read",)}, restricted, 3),
            ({"data_class": "restricted", "kinds": ("tool.called",)}, [], 3),
            ({"data_class": "secret", "category": "pii"}, secret, 1),
            ({"category": "pii"}, sorted(restricted + secret), 4),
            ({"category": "nothing"}, [], 1),
            ({"data_class": "internal"}, [], 1),
        ):
            assert (await found(300, back=back, **wanted))[0] == indexes, wanted
            whole, parts = await found(2_048, back=back, **wanted)
            assert (whole, parts <= most_parts) == (indexes, True), (wanted, back, parts)
    limited = await store.search(TENANT, EventSearch(data_class="restricted"), before=size, limit=2)
    assert [one.index for one in limited.entries] == [4_700, 5_119]
    await store.close()


async def test_pruned_events_leave_their_hashes(store: Store) -> None:
    """Root, proofs, chains and restarts stay as they were; text and values are gone, at once with the event
    that says so.
    """
    for n in range(300):
        await store.commit(Unit(events=(a_permit(f"call_{n}", task=f"task_{n % 3}"),)))
    leaves = await all_leaves(store)
    size, root = await store.root(TENANT)
    said = an_event(EventKind.LOG_PRUNED, facts={"ranges": [[0, 256], [257, 280]]})
    await store.prune(TENANT, [(0, 256), (257, 280)], said)
    assert await store.root(TENANT) == (size + 1, mth([*leaves, (await all_leaves(store))[-1]]))
    assert [one.index for one in await store.entries(TENANT, limit=1000)] == [256, *range(280, 301)]
    assert [one.index for one in await store.entries(TENANT, limit=1000, task="task_0")] == [
        *range(282, 300, 3)
    ]
    hashes = [leaf_hash(one) for one in leaves]
    assert await store.hashes(TENANT, 0, 200, 100) == hashes[200:300]
    for index in (0, 255, 256, 299):
        verify_inclusion(hashes[index], index, size, await store.inclusion(TENANT, index, size), root)
    for old in (1, 255, 256, 257, 299):
        proof = await store.consistency(TENANT, old, size)
        verify_consistency(old, size, proof, mth(leaves[:old]), root)
    found = await store.search(TENANT, EventSearch(task="task_1"), limit=100)
    assert [one.index for one in found.entries] == [256, *range(280, 300, 3)]


async def test_a_prune_of_what_is_not_there_changes_nothing(store: Store) -> None:
    """Neither the events, nor what was to say so."""
    for _ in range(4):
        await store.commit(Unit(events=(an_event(),)))
    await store.prune(TENANT, [(1, 2)])
    before = await store.root(TENANT)
    for spans in ([(0, 3)], [(2, 3), (1, 2)], [(3, 9)]):
        with pytest.raises(ChangedMeanwhile):
            await store.prune(TENANT, spans, an_event(EventKind.LOG_PRUNED))
    assert await store.root(TENANT) == before
    assert [one.index for one in await store.entries(TENANT)] == [0, 2, 3]


async def test_a_task_goes_on_after_its_last_event_was_pruned(open_store: Open, tmp_path: Path) -> None:
    """Its next record names the pruned one, also after a restart; a time is still found by halving."""
    store = open_store(tmp_path)
    for n in range(10):
        at = START + timedelta(hours=n)
        await store.commit(Unit(events=(an_event(task="task_one" if n < 5 else "", at=at),)))
    hashes = await store.hashes(TENANT, 0, 0, 10)
    await store.prune(TENANT, [(0, 5)], an_event(EventKind.LOG_PRUNED, at=START + timedelta(days=1)))
    await store.close()
    again = open_store(tmp_path, seed="again")
    await again.commit(Unit(events=(an_event(task="task_one", at=START + timedelta(days=2)),)))
    (last,) = await again.entries(TENANT, task="task_one")
    assert json.loads(last.leaf)["task_prev"] == hashes[4].hex()
    wanted = EventSearch(since=START + timedelta(hours=8), until=START + timedelta(hours=9))
    assert [one.index for one in (await again.search(TENANT, wanted)).entries] == [8]
