# SPDX-License-Identifier: Apache-2.0
"""What every keeper of log heads keeps to (`ports.evidence.log.HeadKeeper`)."""

import asyncio
import hashlib
import multiprocessing
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from remit.adapters.log import file
from remit.adapters.log.file import FileHeadKeeper
from remit.core.errors import Conflict, StoreUnavailable
from remit.ports.evidence.log import Head, HeadKeeper
from tests.faults.held_lock import held_elsewhere

Keep = Callable[[Path], HeadKeeper]

each_keeper = pytest.mark.parametrize("keep", [FileHeadKeeper], ids=["file"])

ORIGIN = "remit.example/default"


def a_head(size: int, note: str = "a note\n") -> Head:
    """Return a head of some log of this size."""
    return Head(size, hashlib.sha256(str(size).encode()).digest(), note)


@each_keeper
def test_a_log_without_a_head_has_none(keep: Keep, tmp_path: Path) -> None:
    """Also while nothing was ever kept."""
    assert keep(tmp_path / "heads").read(ORIGIN) is None


@each_keeper
async def test_a_head_outlives_its_keeper(keep: Keep, tmp_path: Path) -> None:
    """What was swapped in is read back, note and all, by another keeper of the same place."""
    head = a_head(3, "remit.example/default\n3\nabc=\n\n\N{EM DASH} remit.example/default xyz\n")
    await keep(tmp_path).swap(ORIGIN, None, head)
    assert keep(tmp_path).read(ORIGIN) == head


@each_keeper
async def test_a_head_changes_only_from_what_was_expected(keep: Keep, tmp_path: Path) -> None:
    """A stale, a missing and an invented expectation are conflicts, and change nothing."""
    heads = keep(tmp_path)
    with pytest.raises(Conflict):
        await heads.swap(ORIGIN, a_head(1), a_head(2))
    await heads.swap(ORIGIN, None, a_head(1))
    await heads.swap(ORIGIN, a_head(1), a_head(2))
    for expected in (None, a_head(1), a_head(2, "another note\n")):
        with pytest.raises(Conflict):
            await heads.swap(ORIGIN, expected, a_head(5))
    assert heads.read(ORIGIN) == a_head(2)


@each_keeper
async def test_a_head_never_becomes_smaller(keep: Keep, tmp_path: Path) -> None:
    """A log only grows, for every caller."""
    heads = keep(tmp_path)
    await heads.swap(ORIGIN, None, a_head(7))
    with pytest.raises(Conflict):
        await heads.swap(ORIGIN, a_head(7), a_head(6))
    assert heads.read(ORIGIN) == a_head(7)


@each_keeper
@pytest.mark.parametrize(
    "other", ["remit.example/default2", "remit.example_default", "REMIT.example/default"]
)
async def test_logs_have_heads_of_their_own(keep: Keep, tmp_path: Path, other: str) -> None:
    """Origins that look alike do not share a place."""
    heads = keep(tmp_path)
    await heads.swap(ORIGIN, None, a_head(1))
    assert heads.read(other) is None
    await heads.swap(other, None, a_head(2))
    assert heads.read(ORIGIN) == a_head(1)


def _race(keep: Keep, folder: Path, mine: int) -> int:
    """Advance the head fifty times against another process; give how often it was this one."""
    return asyncio.run(_advance(keep, folder, mine))


async def _advance(keep: Keep, folder: Path, mine: int) -> int:
    won = 0
    heads = keep(folder)
    for _ in range(50):
        present = heads.read(ORIGIN)
        try:
            await heads.swap(ORIGIN, present, a_head(present.size + 1 if present else 1, f"by {mine}\n"))
            won += 1
        except Conflict:
            pass
    return won


@each_keeper
def test_of_two_processes_only_one_wins_each_swap(keep: Keep, tmp_path: Path) -> None:
    """The final size is the number of swaps that succeeded: none was lost, none done twice."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        won = pool.starmap(_race, [(keep, tmp_path, 1), (keep, tmp_path, 2)])
    head = keep(tmp_path).read(ORIGIN)
    assert head is not None
    assert head.size == sum(won)


async def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Mode 0600 in a folder of mode 0700."""
    folder = tmp_path / "heads"
    await FileHeadKeeper(folder).swap(ORIGIN, None, a_head(1))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"null", b'{"origin":"x","size":1,"root":"","note":""}', b"\xff\x00"]
)
async def test_a_damaged_file_is_a_fault_and_not_a_log_without_a_head(tmp_path: Path, damage: bytes) -> None:
    """Otherwise, write access to the file would suffice to make start-up forget what was signed."""
    heads = FileHeadKeeper(tmp_path)
    await heads.swap(ORIGIN, None, a_head(1))
    next(tmp_path.glob("*.head")).write_bytes(damage)  # noqa: ASYNC240
    with pytest.raises(StoreUnavailable):
        heads.read(ORIGIN)
    with pytest.raises(StoreUnavailable):
        await heads.swap(ORIGIN, None, a_head(2))


async def test_a_process_that_was_stopped_while_it_swaps_holds_up_swaps_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others read on, do what else they have to do meanwhile, and are told after a while; then they go on."""
    monkeypatch.setattr(file, "PATIENCE_S", 0.2)
    heads, turns = FileHeadKeeper(tmp_path), 0
    await heads.swap(ORIGIN, None, a_head(1))
    (lock,) = tmp_path.glob("*.lock")  # noqa: ASYNC240
    with held_elsewhere(lock):
        swap = asyncio.create_task(heads.swap(ORIGIN, a_head(1), a_head(2)))
        while not swap.done():
            turns += 1
            await asyncio.sleep(0.01)
        with pytest.raises(StoreUnavailable, match="another process holds") as told:
            await swap
        assert told.value.code == "head-held"
        assert turns > 1
        assert heads.read(ORIGIN) == a_head(1)
    await heads.swap(ORIGIN, a_head(1), a_head(2))
    assert heads.read(ORIGIN) == a_head(2)


async def test_a_slow_disk_holds_up_a_swap_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller that stops waiting leaves the swap to finish: the next caller finds it done."""
    heads, synced, goes_on = FileHeadKeeper(tmp_path), os.fsync, threading.Event()

    def slow(descriptor: int) -> None:
        goes_on.wait(60)
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    swap = asyncio.create_task(heads.swap(ORIGIN, None, a_head(1)))
    for _ in range(100):
        await asyncio.sleep(0.001)
    assert heads.read(ORIGIN) is None
    swap.cancel()
    with pytest.raises(asyncio.CancelledError):
        await swap
    goes_on.set()
    with pytest.raises(Conflict):
        await heads.swap(ORIGIN, None, a_head(2))
    assert heads.read(ORIGIN) == a_head(1)
