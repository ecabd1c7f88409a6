# SPDX-License-Identifier: Apache-2.0
"""A disk that is full: commits are refused, nothing recorded is lost, and the store goes on once there is
room.
"""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from remit.adapters.store.sqlite import Durability, SqliteStore
from remit.core.errors import StoreUnavailable
from remit.core.evidence.merkle import Frontier, leaf_hash, new_tile_nodes
from remit.core.scope import EVERYTHING
from tests.worlds.stores import a_call, each_durability, opened_sqlite
from tests.worlds.values import TENANT


async def check_whole(store: SqliteStore, acknowledged: list[int]) -> None:
    """Everything that was acknowledged is there, nothing that was refused is, and the log holds together."""
    entries = await store.entries(TENANT, limit=10**6, opened=True)
    calls = [json.loads(entry.leaf)["facts"]["n"] for entry in entries if entry.kind == "decision.made"]
    assert calls == acknowledged
    assert [entry.index for entry in entries] == list(range(2 * len(acknowledged)))
    tree, _ = new_tile_nodes(Frontier(), [leaf_hash(entry.leaf) for entry in entries])
    assert await store.root(TENANT) == (tree.size, tree.root())
    before: dict[str, str] = {}
    for entry in entries:
        record = json.loads(entry.leaf)
        assert record["prev"] == before.get(record["writer"], "")
        task = record.get("task", "")
        assert not task or record["task_prev"] == before.get(task, "")
        before[record["writer"]] = before[task] = entry.leaf_hash.hex()
        assert entry.opened is not None or entry.sealed is None
    assert (await store.usage(TENANT, "task_one")).calls == len(acknowledged)
    assert store.epochs(TENANT) == ({EVERYTHING: len(acknowledged)} if acknowledged else {})
    assert await store.value(TENANT, "last") == (acknowledged[-1] if acknowledged else None)
    assert await store.unfinished(TENANT) == []


async def commit_until_full(store: SqliteStore, acknowledged: list[int], at_once: int, n: int) -> int:
    """Commit calls, some at a time, until one is refused; give the next number to use."""
    for _ in range(2000):
        batch = range(n, n + at_once)
        results = await asyncio.gather(*(store.commit(a_call(k)) for k in batch), return_exceptions=True)
        n += at_once
        for k, result in zip(batch, results, strict=True):
            if isinstance(result, BaseException):
                assert isinstance(result, StoreUnavailable)
                assert "free space" in result.remediation
            else:
                acknowledged.append(k)
        if any(isinstance(result, BaseException) for result in results):
            return n
    raise AssertionError("the disk never became full")


async def fill_and_recover(folder: Path, store: SqliteStore, free: Callable[[], object]) -> None:
    """The whole story: fill, stay refused, be read all the while, free, go on, restart."""
    acknowledged: list[int] = []
    n = await commit_until_full(store, acknowledged, 16, 0)
    assert len(acknowledged) > 16
    # What is left for a small one; a checkpoint that ends late makes room once more.
    for _ in range(4):
        n = await commit_until_full(store, acknowledged, 1, n)
    await check_whole_while_full(store, acknowledged)
    free()
    for k in range(n, n + 200):
        await store.commit(a_call(k))
        acknowledged.append(k)
    await check_whole(store, acknowledged)
    await store.close()
    store = opened_sqlite(folder, "durable", seed="second")
    await check_whole(store, acknowledged)
    await store.close()


async def check_whole_while_full(store: SqliteStore, acknowledged: list[int]) -> None:
    """A full disk does not stop reading, and memory agrees with the file."""
    entries = await store.entries(TENANT, limit=10**6)
    assert len(entries) == 2 * len(acknowledged) == await store.size(TENANT)
    assert store.epochs(TENANT) == {EVERYTHING: len(acknowledged)}


@each_durability
async def test_a_store_that_may_not_grow_refuses_and_recovers(tmp_path: Path, durability: Durability) -> None:
    """SQLite's own bound stands for the disk: it answers as a full one does, on every machine."""
    store = opened_sqlite(tmp_path, durability)
    connection = store._connections[0]
    connection.execute("pragma max_page_count=300")
    await fill_and_recover(tmp_path, store, lambda: connection.execute("pragma max_page_count=1000000"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB, where this machine lets us have one."""
    place, mount, umount = tmp_path / "disk", shutil.which("mount"), shutil.which("umount")
    place.mkdir()
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("only root can mount")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=12m", "tmpfs", place], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("this machine does not let root mount")
    try:
        yield place
    finally:
        # Lazily: a test that failed has left the store open.
        subprocess.run([umount, "-l", place], check=True)


@each_durability
async def test_a_disk_that_is_full_refuses_and_recovers(small_disk: Path, durability: Durability) -> None:
    """A real file system without room, then with some again."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(6_500_000))

    await fill_and_recover(small_disk, opened_sqlite(small_disk, durability), ballast.unlink)
