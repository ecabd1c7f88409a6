# SPDX-License-Identifier: Apache-2.0
"""A monitor reads the log as static files: checkpoint, hashes, entries (c2sp.org/tlog-tiles)."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.evidence.checkpoint import VerifierKey, open_checkpoint
from remit.core.evidence.event import EventKind
from remit.core.evidence.merkle import HASH_SIZE, Frontier, new_tile_nodes
from remit.core.evidence.tile import ENTRIES, Tile, read_bundle
from remit.ports.store.units import Unit
from tests.worlds.services import ServiceWorld, service_world
from tests.worlds.values import an_event


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A log of more than two full tiles."""
    async with service_world(tmp_path) as made:
        for number in range(6):
            events = tuple(an_event(EventKind.TASK_MESSAGE, facts={"n": number}) for _ in range(100))
            await made.services.store.commit(Unit(events=events))
        yield made


async def test_a_monitor_computes_the_signed_root_from_the_tiles_and_finds_every_entry(
    world: ServiceWorld,
) -> None:
    """With nothing but the log's key."""
    audra = await world.session("audra")
    told = await world.ask("GET", "/tlog/checkpoint", by=audra)
    assert told.status == 200
    key = VerifierKey.parse(world.services.evidence.log.verifier)
    head = open_checkpoint(told.content, key).checkpoint
    frontier = Frontier()
    full = []
    for number in range(3):
        width = Tile(0, number).available(head.size)
        hashes = await world.ask("GET", f"/tlog/tile/{Tile(0, number, width)}", by=audra)
        assert hashes.headers["content-type"] == "application/octet-stream"
        assert hashes.headers["cache-control"] == "private, max-age=31536000, immutable"
        leaves = [hashes.content[at : at + HASH_SIZE] for at in range(0, len(hashes.content), HASH_SIZE)]
        assert len(leaves) == width
        frontier, born = new_tile_nodes(frontier, leaves)
        full += [node.hash for node in born]
        bundle = await world.ask("GET", f"/tlog/tile/{Tile(ENTRIES, number, width)}", by=audra)
        assert bundle.headers["cache-control"] == "no-store"
        entries = read_bundle(bundle.content, width)
        assert [hashlib.sha256(b"\x00" + one).digest() for one in entries] == leaves
    assert frontier.root() == head.root
    above = await world.ask("GET", "/tlog/tile/1/000.p/2", by=audra)
    assert above.content == b"".join(full)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("0/002", 404), ("0/003.p/1", 404), ("0/002.p/255", 404), ("2/000.p/1", 404), ("1/000.p/3", 404),
        ("63/000", 404), ("0/x999/x999/x999/x999/x999/x999/999", 404), ("entries/002", 404),
        ("0/0", 400), ("64/000", 400), ("0/000.p/256", 400), ("data/000", 400), ("0/x000/000", 400),
        ("0/000?x=1", 400),
    ],
)  # fmt: skip
async def test_what_is_no_tile_of_the_signed_log_is_refused(
    world: ServiceWorld, path: str, status: int
) -> None:
    """Nothing beyond the signed head is read, however large the number."""
    told = await world.ask("GET", f"/tlog/tile/{path}", by=await world.session("audra"))
    assert told.status == status
    assert told.json["remediation"]


async def test_hashes_need_a_role_and_entries_an_auditor(world: ServiceWorld) -> None:
    """Leaves hold facts, and their hashes let a guess be confirmed."""
    checkpoint, hashes, entries = "/tlog/checkpoint", "/tlog/tile/0/000", "/tlog/tile/entries/000"
    for path in (checkpoint, hashes, entries):
        assert (await world.ask("GET", path)).status == 401
        assert (await world.ask("GET", path, by=await world.session("lena"))).status == 403
    operator = await world.session("otto")
    assert [(await world.ask("GET", path, by=operator)).status for path in (checkpoint, hashes, entries)] == [
        200,
        200,
        403,
    ]


async def test_public_hashes_are_for_everyone_and_entries_stay_with_auditors(tmp_path: Path) -> None:
    """Where the configuration says so."""
    async with service_world(tmp_path, published=True) as world:
        await world.session("otto")
        head = await world.ask("GET", "/tlog/checkpoint")
        assert (head.status, head.headers["cache-control"]) == (200, "public, max-age=1")
        hashes = await world.ask("GET", "/tlog/tile/0/000.p/1")
        assert (hashes.status, len(hashes.content)) == (200, 32)
        assert (await world.ask("GET", "/tlog/tile/entries/000.p/1")).status == 401
        otto = await world.session("otto")
        assert (await world.ask("GET", "/tlog/tile/entries/000.p/1", by=otto)).status == 403
