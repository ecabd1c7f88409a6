# SPDX-License-Identifier: Apache-2.0
"""The log's head is signed and kept outside; each event can be read, and proven to who has only the key."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.errors import NotFound, VerificationFailed
from remit.core.evidence.checkpoint import LogProof, VerifierKey, open_checkpoint
from remit.core.evidence.event import EventKind
from remit.core.evidence.merkle import verify_consistency
from remit.services.evidence.log import readable
from tests.refusals import refused
from tests.worlds.calls import CallWorld, call_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway with a desk."""
    async with call_world(tmp_path) as made:
        yield made


async def test_a_head_is_signed_once_per_state(world: CallWorld) -> None:
    """Nothing new gives the same head; something new a larger one, which the key opens."""
    evidence = world.services.evidence.log
    first = await evidence.checkpoint()
    assert await evidence.checkpoint() == first
    await world.open()
    second = await evidence.checkpoint()
    assert second.size > first.size
    opened = open_checkpoint(second.note.encode(), VerifierKey.parse(evidence.verifier))
    assert (opened.checkpoint.size, opened.checkpoint.root) == (second.size, second.root)


async def test_signing_at_once_is_signing_in_turn(world: CallWorld) -> None:
    """This holds among commits too: heads only grow, and no signing fails."""

    async def work() -> None:
        await world.open()

    heads = await asyncio.gather(
        *(world.services.evidence.log.checkpoint() for _ in range(5)),
        work(),
        world.services.evidence.log.checkpoint(),
    )
    sizes = [head.size for head in heads if head is not None]
    assert sizes == sorted(sizes)


async def test_every_event_can_be_proven(world: CallWorld) -> None:
    """With the leaf and the key alone; another leaf, or another place, does not fit the proof."""
    await world.open()
    evidence = world.services.evidence.log
    key = VerifierKey.parse(evidence.verifier)
    entries = await evidence.pages(limit=1000)
    for entry in entries:
        proof = LogProof.parse((await evidence.prove(entry.index)).encode())
        proof.verify(entry.leaf, key)
        other = entries[(entry.index + 1) % len(entries)]
        with refused("inclusion-failed"):
            proof.verify(other.leaf, key)
    for index in (-1, len(entries)):
        with refused("not-found", NotFound):
            await evidence.prove(index)
        with refused("not-found", NotFound):
            await evidence.entry(index)


async def test_the_log_is_proven_to_begin_with_what_it_was(world: CallWorld) -> None:
    """From each size that it had, and from no other root; what it never had is not there."""
    await world.open()
    evidence = world.services.evidence.log
    before = await evidence.checkpoint()
    await world.open()
    after, proof = await evidence.growth(before.size)
    assert after.size > before.size
    verify_consistency(before.size, after.size, proof, before.root, after.root)
    with refused("consistency-failed", VerificationFailed):
        verify_consistency(before.size, after.size, proof, bytes(32), after.root)
    for size in (0, -1, after.size + 1):
        with refused("log-shorter", NotFound):
            await evidence.growth(size)


async def test_events_are_read_in_pages(world: CallWorld) -> None:
    """By kind, by task, from a place on."""
    task, token = await world.open()
    await world.open()
    await world.call(token, "read")
    await world.facts(EventKind.TOOL_CALLED)
    evidence = world.services.evidence.log
    every = await evidence.pages(limit=1000)
    assert await evidence.size() == len(every)
    assert [entry.index for entry in await evidence.pages(start=3, limit=2)] == [3, 4]
    of_task = await evidence.pages(task=task.id)
    assert {entry.task for entry in of_task} == {task.id}
    decided = await evidence.pages(kinds=(EventKind.DECISION_MADE.value,), task=task.id)
    assert [entry.kind for entry in decided] == ["decision.made"]


async def test_an_event_is_readable_with_its_values(world: CallWorld) -> None:
    """Record, place, hash, and what was sealed; without the key of its subject only the record."""
    _, token = await world.open()
    await world.call(token, "write", text="rent")
    (entry,) = await world.services.evidence.log.pages(kinds=(EventKind.DECISION_MADE.value,))
    record = readable(await world.services.evidence.log.entry(entry.index))
    assert (record["kind"], record["index"]) == ("decision.made", entry.index)
    assert record["hash"] == entry.leaf_hash.hex()
    assert record["values"] == {"arguments": {"text": "rent"}}
    assert b"rent" not in entry.leaf
    await world.services.store.forget(world.services.tenant, "lena")
    assert "values" not in readable(await world.services.evidence.log.entry(entry.index))
