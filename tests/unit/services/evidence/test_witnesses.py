# SPDX-License-Identifier: Apache-2.0
"""Witnesses that fail, lie or are slow never stop the log, and never add what does not verify."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from remit.core.errors import VerificationFailed
from remit.core.evidence.checkpoint import Note, VerifierKey, cosign_checkpoint, open_checkpoint
from remit.core.evidence.event import EventKind
from remit.core.evidence.merkle import EMPTY_ROOT
from remit.core.evidence.trust_policy import TrustPolicy
from remit.core.evidence.verification import verify_export
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.keys.own_keys import KeyKind
from remit.ports.fetch import Fetched
from remit.ports.store.units import Unit
from remit.services.evidence.witnesses import Witness, Witnesses, WitnessSettings
from tests.servers.small_witness import SIZE, SmallWitness
from tests.worlds.services import ORIGIN, ServiceWorld, service_world
from tests.worlds.values import WorldClock, an_event


class Trio:
    """A gateway with three witnesses, of which two must agree."""

    def __init__(self, world: ServiceWorld, small: dict[str, SmallWitness]) -> None:
        self.world = world
        self.small = small
        self.witnesses: Witnesses = world.services.evidence.witnesses
        self.key = VerifierKey.parse(world.services.evidence.log.verifier)
        for one in small.values():
            one.log = self.key

    async def grow(self, seconds: float = 20) -> None:
        """Record an event, and let time pass."""
        await self.world.services.store.commit(Unit(events=(an_event(EventKind.TASK_MESSAGE),)))
        self.world.clock.advance(seconds)

    async def turn(self, seconds: float = 20) -> None:
        """Record an event, let time pass, and ask the witnesses that are due."""
        await self.grow(seconds)
        await self.witnesses.turn()

    def cosigners(self) -> set[str]:
        """Return who cosigned the published head, verified."""
        assert self.witnesses.published is not None
        note = self.witnesses.published.note.encode()
        opened = open_checkpoint(note, self.key, witnesses=[one.key for one in self.small.values()])
        return {one.key.name for one in opened.cosignatures}

    async def open_findings(self) -> list[str]:
        """Return what the open findings are about."""
        found = await self.world.services.findings.findings.about(
            state=FindingState.OPEN, kinds=(FindingKind.LOG_UNWITNESSED,)
        )
        return sorted(one.about for one in found)


@pytest.fixture
async def trio(tmp_path: Path) -> AsyncIterator[Trio]:
    """Three witnesses on the world's clock."""
    clock: list[WorldClock] = []
    small = {
        name: SmallWitness(f"w.example/{name}", lambda: int(clock[0].now().timestamp())) for name in "abc"
    }
    witnesses = {
        name: Witness(name=name, key=one.key, url="https://w.example/", deliver=one)
        for name, one in small.items()
    }
    told = WitnessSettings(witnesses=witnesses, quorum=2, alarm_after_s=3600)
    async with service_world(tmp_path, witnesses=told) as world:
        clock.append(world.clock)
        yield Trio(world, small)


async def test_every_witness_that_answers_is_in_the_published_head(trio: Trio) -> None:
    """Head after head; a witness that comes late is still added."""
    await trio.turn()
    assert trio.cosigners() == {"w.example/a", "w.example/b", "w.example/c"}
    trio.small["c"].away = True
    await trio.turn()
    assert trio.cosigners() == {"w.example/a", "w.example/b"}
    size = trio.witnesses.published.size if trio.witnesses.published else 0
    trio.small["c"].away = False
    await trio.turn(seconds=60)
    assert trio.cosigners() == {"w.example/a", "w.example/b", "w.example/c"}
    assert trio.witnesses.published
    assert trio.witnesses.published.size > size


async def test_without_a_quorum_the_last_cosigned_head_stays_and_a_finding_opens(
    trio: Trio,
) -> None:
    """After the time of the configuration, once; it is settled by the next quorum."""
    await trio.turn()
    published = trio.witnesses.published
    trio.small["a"].away = trio.small["b"].away = True
    await trio.turn(3500)
    assert trio.witnesses.published == published
    assert await trio.open_findings() == []
    await trio.turn(200)
    assert await trio.open_findings() == [f"log:{ORIGIN}"]
    trio.small["a"].away = False
    await trio.turn(700)
    assert await trio.open_findings() == []


async def test_an_idle_log_is_cosigned_again_before_its_cosignatures_grow_old(trio: Trio) -> None:
    """Otherwise no one could tell an idle log from one that is withheld."""
    await trio.turn()
    asked = trio.small["a"].asked
    size = trio.small["a"].size
    trio.world.clock.advance(100)
    await trio.witnesses.turn()
    assert trio.small["a"].asked == asked
    trio.world.clock.advance(250)
    await trio.witnesses.turn()
    assert (trio.small["a"].asked, trio.small["a"].size) == (asked + 1, size)


async def test_a_witness_that_lost_its_memory_and_one_that_is_ahead_of_ours_are_caught_up_with(
    trio: Trio,
) -> None:
    """Its 409 says which size it knows."""
    await trio.turn()
    one = trio.small["a"]
    one.size, one.root = 0, EMPTY_ROOT
    await trio.turn()
    assert "w.example/a" in trio.cosigners()


LIES: dict[str, Callable[[Trio, Fetched], Fetched]] = {
    "no line": lambda _, told: with_body(told, b""),
    "no text": lambda _, told: with_body(told, b"\xff\xfe\n"),
    "huge": lambda _, told: with_body(told, told.body * 10_000),
    "an empty line before": lambda _, told: with_body(told, b"more\n\n" + told.body),
    "another text": lambda trio, told: with_body(told, b"x\n\n" + other_text(trio)),
    "another head": lambda trio, told: with_body(told, another_head(trio)),
    "a flipped bit": lambda _, told: with_body(told, flipped(told.body)),
    "another witness": lambda trio, told: with_body(told, another_witness(trio)),
    "a size that is no number": lambda _, told: conflict(told, b"many\n"),
    "a size that is too long": lambda _, told: conflict(told, b"9" * 10_000),
    "a redirect": lambda _, told: msgspec.structs.replace(told, status=302),
    "a defect": lambda _, told: msgspec.structs.replace(told, status=500),
}


#: What a witness may do that says nothing false.
SILENT = ("a redirect", "a defect")


def with_body(told: Fetched, body: bytes) -> Fetched:
    """Return an answer with another body."""
    return msgspec.structs.replace(told, body=body)


def conflict(told: Fetched, body: bytes) -> Fetched:
    """Return a 409."""
    return msgspec.structs.replace(told, status=409, headers=SIZE, body=body)


def flipped(body: bytes) -> bytes:
    """Change one character of the signature."""
    at = len(body) - 20
    return body[:at] + (b"A" if body[at : at + 1] != b"A" else b"B") + body[at + 1 :]


def _cosigned(trio: Trio, name: str, text: str) -> bytes:
    one = trio.small[name]
    note = cosign_checkpoint(Note(text), one.key, one.secret.sign, timestamp=one.now_s())
    return f"{note.signatures[-1]}\n".encode()


def other_text(trio: Trio) -> bytes:
    """Return a line that verifies, for the head's text with a further line."""
    head = trio.world.services.evidence.log.signed()
    assert head is not None
    return _cosigned(trio, "a", Note.parse(head.note.encode()).text + "x\n")


def another_head(trio: Trio) -> bytes:
    """Return a line of the right witness, for another head of the log."""
    return _cosigned(trio, "a", f"{ORIGIN}\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")


def another_witness(trio: Trio) -> bytes:
    """Return a valid line of another witness: it shall not count twice."""
    head = trio.world.services.evidence.log.signed()
    assert head is not None
    return _cosigned(trio, "b", Note.parse(head.note.encode()).text)


@pytest.mark.parametrize("lie", LIES)
async def test_a_witness_that_lies_adds_nothing_and_is_asked_less(trio: Trio, lie: str) -> None:
    """The published head verifies with the others, and so does every export."""
    trio.small["a"].answer = lambda told: LIES[lie](trio, told)
    for _ in range(8):
        await trio.turn()
    assert trio.cosigners() == {"w.example/b", "w.example/c"}
    assert trio.small["a"].asked <= 8
    assert trio.small["b"].asked == 8
    told = lie not in SILENT
    assert await trio.open_findings() == (["witness:a"] if told else [])
    trio.small["a"].answer = None
    trio.world.clock.advance(4_000)
    await trio.turn()
    assert await trio.open_findings() == []
    trio.small["a"].answer = lambda told: LIES[lie](trio, told)
    head = await trio.world.services.evidence.log.proven()
    keys = [one.key for one in trio.small.values()]
    assert open_checkpoint(head.note.encode(), trio.key, witnesses=keys).checkpoint.size == head.size


@pytest.mark.parametrize("seconds", [-301, 301])
async def test_a_cosignature_of_another_time_is_not_taken(trio: Trio, seconds: int) -> None:
    """Whether the witness's clock was set, or ours."""
    now = trio.small["a"].now_s
    trio.small["a"].now_s = lambda: now() + seconds
    await trio.turn()
    assert trio.cosigners() == {"w.example/b", "w.example/c"}
    trio.world.clock.jump(seconds)
    await trio.turn(60)
    assert "w.example/b" in trio.cosigners()


async def test_a_witness_that_remembers_another_history_is_a_finding_at_once(trio: Trio) -> None:
    """It has cosigned more events than there are: the log was rolled back, or two logs have one key."""
    await trio.turn()
    trio.small["a"].size, trio.small["a"].root = 10_000, b"r" * 32
    await trio.turn()
    assert await trio.open_findings() == ["witness:a"]
    assert trio.cosigners() == {"w.example/b", "w.example/c"}


async def test_a_log_with_the_same_size_and_another_root_is_a_finding(trio: Trio) -> None:
    """Two logs under one key."""
    await trio.turn()
    trio.small["a"].root = b"r" * 32
    trio.world.clock.advance(400)
    await trio.witnesses.turn()
    assert await trio.open_findings() == ["witness:a"]


async def test_a_head_that_a_newer_one_overtook_is_no_contradiction(trio: Trio) -> None:
    """A reader's head was sent while an older one waited, here or at another replica."""
    await trio.turn()
    old = await trio.world.services.evidence.log.checkpoint()
    await trio.grow()
    await trio.world.services.evidence.log.proven()
    newer = trio.witnesses.published
    assert newer is not None
    assert newer.size > old.size
    other = Witnesses(
        store=trio.world.services.store,
        evidence=trio.world.services.evidence.log,
        findings=trio.world.services.findings.findings,
        clock=trio.world.clock,
        tenant=trio.world.services.tenant,
        settings=trio.witnesses._settings,
    )
    for replica in (trio.witnesses, other):
        await replica.begin()
        for name in trio.small:
            await replica._ask(name, old)
    assert await trio.open_findings() == []
    assert trio.cosigners() == {"w.example/a", "w.example/b", "w.example/c"}
    assert await other.newest() == newer


async def test_witnesses_of_a_busy_log_cosign_the_same_heads(trio: Trio) -> None:
    """Also after one of them was asked at another time, and at each of many rounds."""
    trio.small["b"].away = trio.small["c"].away = True
    await trio.turn(7)
    trio.small["b"].away = trio.small["c"].away = False
    await trio.turn(3)
    await trio.turn(600)
    sizes = set()
    for _ in range(60):
        await trio.turn(1)
        assert trio.witnesses.published
        sizes.add(trio.witnesses.published.size)
    assert len(sizes) >= 5


async def test_a_reader_gets_the_head_without_witnesses_that_are_away(trio: Trio) -> None:
    """An export is complete, and says by its missing lines that it is not witnessed."""
    await trio.turn()
    for one in trio.small.values():
        one.away = True
    await trio.grow()
    head = await trio.world.services.evidence.log.proven()
    assert head.size == await trio.world.services.evidence.log.size()
    early = await trio.world.services.evidence.log.prove(0)
    opened = open_checkpoint(early.checkpoint, trio.key, witnesses=[one.key for one in trio.small.values()])
    assert len(opened.cosignatures) == 3


async def test_a_rotated_key_of_the_log_holds_across_receipts_exports_and_witnesses(trio: Trio) -> None:
    """Receipts of before hold under the old key; in between, both keys sign; witnesses that learn the new key
    go on, and one that does not is missed.
    """
    log, rotations = trio.world.services.evidence.log, trio.world.services.identity.rotations
    await trio.turn()
    old, receipt = trio.key, await log.prove(0)
    names = [f"witness {name} {one.key}" for name, one in trio.small.items()]

    def policy(key: VerifierKey) -> TrustPolicy:
        return TrustPolicy.parse(
            "\n".join([f"log {key}", *names, "group g 2 a b c", "quorum g", ""]).encode()
        )

    async def export() -> list[bytes]:
        return [line async for line in log.export()]

    await rotations.rotate(KeyKind.CHECKPOINT, by="root")
    new = VerifierKey.parse(log.verifier)
    assert new != old
    await trio.turn()
    lines = await export()
    for key in (old, new):
        assert verify_export(lines, key, policy=policy(key)).holds
    assert verify_export(lines, old).successor == str(new)
    assert verify_export(lines, new).successor == ""
    for one in (receipt, await log.prove(0)):
        one.verify(one.extra, old)
    assert policy(old).open(receipt.checkpoint).checkpoint.size > 0
    trio.key = trio.small["a"].log = trio.small["b"].log = new
    trio.world.clock.advance(400 * 86_400)
    await rotations.keep()
    await trio.turn()
    assert trio.cosigners() == {"w.example/a", "w.example/b"}
    lines = await export()
    assert verify_export(lines, new, policy=policy(new)).holds
    assert not verify_export(lines, old).holds
    receipt.verify(receipt.extra, old)
    with pytest.raises(VerificationFailed):
        receipt.verify(receipt.extra, new)
    again = await log.prove(0)
    again.verify(again.extra, new)
    with pytest.raises(VerificationFailed):
        again.verify(again.extra, old)
