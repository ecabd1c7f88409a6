# SPDX-License-Identifier: Apache-2.0
"""A monitor notices what the operator of a log, who holds its key, does to those who watch it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from remit.core.canonical import encode
from remit.core.errors import NotVerifiable, VerificationFailed
from remit.core.evidence.checkpoint import (
    COSIGNATURE_V1,
    Checkpoint,
    VerifierKey,
    cosign_checkpoint,
    sign_checkpoint,
)
from remit.core.evidence.merkle import Frontier, leaf_hash, new_tile_nodes
from remit.core.evidence.monitor import MonitorLimits, MonitorMemory, MonitorTurn
from remit.core.evidence.tile import Tile, entry_bundle
from remit.core.evidence.trust_policy import TrustPolicy
from tests.refusals import refused

LOG_SECRET, WITNESS_SECRET = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
LOG = VerifierKey("remit/acme", LOG_SECRET.public_key().public_bytes_raw())
WITNESS = VerifierKey("w.example", WITNESS_SECRET.public_key().public_bytes_raw(), COSIGNATURE_V1)
POLICY = TrustPolicy.parse(f"log {LOG}\nwitness w {WITNESS}\nquorum w\n".encode())
UNWITNESSED = TrustPolicy.parse(f"log {LOG}\nquorum none\n".encode())
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
NOON_S = int(NOON.timestamp())


class Operator:
    """Who runs a log, and writes and signs whatever they like."""

    def __init__(self) -> None:
        self.leaves: list[bytes] = []
        self.seq = 0
        self.prev = ""

    def write(self, count: int = 1, at: datetime = NOON, **changes: Any) -> None:
        """Write records."""
        for _ in range(count):
            record = {
                "v": 1,
                "kind": "task.message",
                "at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "tenant": "acme",
                "writer": "wrt_one",
                "seq": self.seq,
                "prev": self.prev,
                "facts": {"n": len(self.leaves)},
            }
            leaf = encode(record | changes)
            self.leaves.append(leaf)
            self.seq, self.prev = self.seq + 1, leaf_hash(leaf).hex()

    def checkpoint(self, at_s: int | None = NOON_S) -> bytes:
        """Sign what there is, and have it cosigned at a time; `None`: by no one."""
        root = new_tile_nodes(Frontier(), map(leaf_hash, self.leaves))[0].root()
        note = sign_checkpoint(Checkpoint(LOG.name, len(self.leaves), root), LOG, LOG_SECRET.sign)
        if at_s is not None:
            note = cosign_checkpoint(note, WITNESS, WITNESS_SECRET.sign, timestamp=at_s)
        return note.encode()


EMPTY = MonitorMemory(log=str(LOG))


def looked(
    operator: Operator,
    memory: MonitorMemory = EMPTY,
    note: bytes = b"",
    now_s: int = NOON_S,
    *,
    entries: bool = True,
    policy: TrustPolicy = POLICY,
) -> MonitorMemory:
    """Look once at a log, from what was seen, and remember in the form of a file."""
    turn = MonitorTurn(
        memory,
        note or operator.checkpoint(now_s),
        policy=policy,
        log=LOG,
        now_s=now_s,
        limits=MonitorLimits(),
    )
    for tile in turn.tiles():
        part = operator.leaves[tile.start : tile.start + tile.width]
        turn.take(tile, b"".join(map(leaf_hash, part)), entry_bundle(part) if entries else None)
    return msgspec.json.decode(msgspec.json.encode(turn.remembered()), type=MonitorMemory)


def test_a_log_that_grows_honestly_holds() -> None:
    """From nothing, over several tiles, in steps of all kinds, and while it is idle."""
    operator = Operator()
    memory = looked(operator)
    for hour, count in enumerate((1, 0, 254, 1, 1, 300, 0, 215, 512), 1):
        now_s = NOON_S + hour * 3600
        operator.write(count, at=NOON + timedelta(hours=hour, minutes=-1))
        memory = looked(operator, memory, now_s=now_s)
        assert (memory.size, memory.latest) == (len(operator.leaves), now_s)


def test_fewer_events_than_were_seen_are_a_rollback() -> None:
    """Even if an earlier checkpoint is shown that was once right."""
    operator = Operator()
    operator.write(5)
    early = operator.checkpoint()
    operator.write(5)
    memory = looked(operator)
    with refused("rolled-back", VerificationFailed):
        looked(operator, memory, early)


@pytest.mark.parametrize("more", [0, 1, 300])
def test_another_history_under_the_same_key_is_a_fork(more: int) -> None:
    """Of the same size or a larger one; tiles that lead to it do not help."""
    operator, other = Operator(), Operator()
    operator.write(260)
    other.write(100)
    other.write(160 + more, task="tsk_other", task_prev="")
    memory = looked(operator)
    with refused("forked", VerificationFailed):
        looked(other, memory)


def test_tiles_that_are_not_the_signed_ones_are_a_fork() -> None:
    """The signed head is of another log than what is served."""
    operator, other = Operator(), Operator()
    operator.write(7)
    other.write(7, kind="task.ended")
    with refused("forked", VerificationFailed):
        looked(operator, note=other.checkpoint())


@pytest.mark.parametrize("changes", [{"seq": 9}, {"prev": "00" * 32}, {"prev": ""}])
def test_a_dropped_record_of_a_writer_is_a_gap(changes: dict[str, Any]) -> None:
    """Though the log that lacks it is signed and cosigned: no witness reads events."""
    operator = Operator()
    operator.write(3)
    memory = looked(operator)
    operator.write(1, **changes)
    with refused("gap", VerificationFailed):
        looked(operator, memory)


def test_an_entry_that_was_changed_or_is_no_record_is_a_gap() -> None:
    """It must be the bytes that were signed, and they must be a record."""
    operator = Operator()
    operator.write(3)
    turn = MonitorTurn(
        EMPTY, operator.checkpoint(), policy=POLICY, log=LOG, now_s=NOON_S, limits=MonitorLimits()
    )
    (tile,) = turn.tiles()
    hashes = b"".join(map(leaf_hash, operator.leaves))
    for bundle in (b"", entry_bundle(operator.leaves[:2]), entry_bundle([*operator.leaves[:2], b"{}"])):
        fresh = MonitorTurn(
            EMPTY, operator.checkpoint(), policy=POLICY, log=LOG, now_s=NOON_S, limits=MonitorLimits()
        )
        fresh.take(tile, hashes, bundle)
        with refused("gap", VerificationFailed):
            fresh.remembered()
    with refused("gap", VerificationFailed):
        turn.take(tile, hashes[:-1], None)
    operator.leaves.append(b'{"v":1}')
    with refused("gap", VerificationFailed):
        looked(operator)


def test_an_event_that_claims_to_be_older_than_a_head_without_it_is_back_dated() -> None:
    """The witness's time counts, not the log's."""
    operator = Operator()
    operator.write(3)
    memory = looked(operator)
    operator.write(1, at=NOON - timedelta(minutes=9))
    later = looked(operator, memory, now_s=NOON_S + 3600)
    operator.write(1, at=NOON + timedelta(minutes=49))
    with refused("back-dated", VerificationFailed):
        looked(operator, later, now_s=NOON_S + 7200)


def test_without_witnesses_the_monitors_own_time_counts() -> None:
    """It knows when it saw the log without the event."""
    operator = Operator()
    operator.write(3)
    memory = looked(operator, note=operator.checkpoint(None), policy=UNWITNESSED)
    operator.write(1, at=NOON - timedelta(minutes=11))
    with refused("back-dated", VerificationFailed):
        looked(operator, memory, operator.checkpoint(None), NOON_S + 60, policy=UNWITNESSED)


def test_an_event_of_a_time_after_its_cosignature_is_noticed() -> None:
    """A log whose clock was set forth, or that writes ahead."""
    operator = Operator()
    operator.write(1, at=NOON + timedelta(minutes=6))
    with refused("later-than-witnessed", VerificationFailed):
        looked(operator)


def test_a_log_that_is_not_cosigned_any_more_is_stale() -> None:
    """Also one that shows an old head as if nothing had happened since."""
    operator = Operator()
    operator.write(3)
    note = operator.checkpoint()
    memory = looked(operator, note=note)
    assert looked(operator, memory, note, NOON_S + 3600).size == 3
    with refused("stale", VerificationFailed):
        looked(operator, memory, note, NOON_S + 3601)
    with refused("quorum-missing", VerificationFailed):
        looked(operator, memory, operator.checkpoint(None))


def test_a_clock_that_was_set_back_does_not_make_an_old_head_young() -> None:
    """Whether it is told by what was remembered, or by a cosignature."""
    operator = Operator()
    operator.write(3)
    memory = looked(operator)
    note = operator.checkpoint(NOON_S - 301)
    with refused("clock", VerificationFailed):
        looked(operator, memory, note, NOON_S - 301)
    with refused("clock", VerificationFailed):
        looked(operator, note=operator.checkpoint(NOON_S + 301))


def test_hashes_alone_show_forks_and_leave_times_unread() -> None:
    """A monitor that began so cannot take up the chains of writers later."""
    operator, other = Operator(), Operator()
    operator.write(3, at=NOON + timedelta(days=1))
    memory = looked(operator, entries=False)
    assert memory.writers is None
    operator.write(1)
    with pytest.raises(NotVerifiable):
        looked(operator, memory)
    assert looked(operator, memory, entries=False).size == 4
    other.write(5)
    with refused("forked", VerificationFailed):
        looked(other, memory, entries=False)


def test_no_bit_of_a_tile_or_an_entry_can_flip() -> None:
    """Whichever it is, and wherever: the monitor tells of a fork or a gap, and remembers nothing of it."""
    operator = Operator()
    operator.write(3)
    note = operator.checkpoint()
    tile = Tile(0, 0, len(operator.leaves))
    hashes = b"".join(map(leaf_hash, operator.leaves))
    bundle = entry_bundle(operator.leaves)
    rest = hashes + bundle
    for bit in range(0, len(rest) * 8, 7):
        flipped = bytearray(rest)
        flipped[bit // 8] ^= 1 << bit % 8
        turn = MonitorTurn(EMPTY, note, policy=POLICY, log=LOG, now_s=NOON_S, limits=MonitorLimits())
        turn.take(tile, bytes(flipped[: len(hashes)]), bytes(flipped[len(hashes) :]))
        with pytest.raises(VerificationFailed) as told:
            turn.remembered()
        assert told.value.code in ("forked", "gap")
