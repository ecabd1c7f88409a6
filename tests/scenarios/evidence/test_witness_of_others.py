# SPDX-License-Identifier: Apache-2.0
"""A witness that is not ours, `omniwitness`, cosigns the log; verifiers need nothing but the trust policy."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.core.errors import VerificationFailed
from remit.core.evidence.checkpoint import LogProof, VerifierKey
from remit.core.evidence.event import EventKind
from remit.core.evidence.trust_policy import TrustPolicy
from remit.core.evidence.verification import verify_export
from remit.core.findings.kinds import FindingKind
from remit.ports.store.units import Unit
from remit.services.evidence.witnesses import Witness, WitnessSettings
from tests.servers.witness_program import NoWitness, OmniWitness
from tests.worlds.services import ServiceWorld
from tests.worlds.values import an_event

pytestmark = pytest.mark.slow


@pytest.fixture
def witness(tmp_path: Path) -> OmniWitness:
    """The program, or why there is none."""
    try:
        return OmniWitness(tmp_path / "witness", "witness.example/w1")
    except NoWitness as reason:
        pytest.skip(str(reason))


def settings(witness: OmniWitness) -> WitnessSettings:
    """One witness, which must cosign."""
    one = Witness(name="w1", key=witness.key, url=witness.url, deliver=GuardedFetch(plain_loopback=True))
    return WitnessSettings(witnesses={"w1": one}, quorum=1)


def log_key(world: ServiceWorld) -> VerifierKey:
    """Return the log's key."""
    return VerifierKey.parse(world.services.evidence.log.verifier)


@asynccontextmanager
async def opened(folder: Path, witness: OmniWitness) -> AsyncIterator[ServiceWorld]:
    """Open a gateway at the time of the witness, which has a separate clock."""
    begun = await asyncio.to_thread(folder.exists)
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    world = ServiceWorld(folder, seed=folder.name, witnesses=settings(witness))
    world.clock.jump((datetime.now(UTC) - world.clock.now()).total_seconds())
    try:
        if not begun:
            await world.settle_in()
        yield world
    finally:
        await world.services.store.close()


async def grow(world: ServiceWorld, count: int) -> None:
    """Record events."""
    events = tuple(an_event(EventKind.TASK_MESSAGE, at=world.clock.now()) for _ in range(count))
    await world.services.store.commit(Unit(events=events))


async def test_it_cosigns_every_head_and_export_and_receipt_verify_by_the_policy_alone(
    tmp_path: Path, witness: OmniWitness
) -> None:
    """Also after it was restarted, and over several tiles."""
    async with opened(tmp_path / "a", witness) as world:
        evidence = world.services.evidence
        policy = TrustPolicy.parse(f"log {log_key(world)}\nwitness w1 {witness.key}\nquorum w1\n".encode())
        for count in (1, 300, 7):
            with witness.serving(log_key(world)):
                await grow(world, count)
                lines = [line async for line in evidence.log.export()]
                report = verify_export(lines, log_key(world), policy=policy)
                assert report.faults == ()
                assert [one.witness for one in report.witnessed] == ["witness.example/w1"]
                proof = LogProof.parse((await evidence.log.prove(report.size - 1)).encode())
                assert policy.open(proof.checkpoint).checkpoint.size == report.size
                assert proof.verify(proof.extra, log_key(world)).checkpoint.size == report.size


async def test_a_log_that_was_rolled_back_and_signed_again_gets_no_cosignature(
    tmp_path: Path, witness: OmniWitness
) -> None:
    """An attacker with key, store and head rewrites what was witnessed; the witness remembers."""
    async with opened(tmp_path / "a", witness) as world:
        key = log_key(world)
        await world.services.evidence.log.checkpoint()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    async with opened(tmp_path / "a", witness) as world:
        with witness.serving(key):
            await grow(world, 20)
            await world.services.evidence.witnesses.turn()
            assert world.services.evidence.witnesses.published is not None
    async with opened(tmp_path / "b", witness) as world:
        with witness.serving(key):
            await grow(world, 40)
            await world.services.evidence.witnesses.turn()
            lines = [line async for line in world.services.evidence.log.export()]
            policy = TrustPolicy.parse(f"log {key}\nwitness w1 {witness.key}\nquorum w1\n".encode())
            assert verify_export(lines, key).holds
            assert "quorum-missing" in {one.code for one in verify_export(lines, key, policy=policy).faults}
            (found,) = await world.services.findings.findings.about("witness:w1")
            assert found.kind is FindingKind.LOG_UNWITNESSED


async def test_a_witness_that_does_not_know_the_log_says_so(tmp_path: Path, witness: OmniWitness) -> None:
    """It answers 404, and the log has no quorum."""
    async with opened(tmp_path / "a", witness) as world:
        with witness.serving():
            await world.services.evidence.witnesses.turn()
        lines = [line async for line in world.services.evidence.log.export()]
        policy = TrustPolicy.parse(f"log {log_key(world)}\nwitness w1 {witness.key}\nquorum w1\n".encode())
        assert "quorum-missing" in {
            one.code for one in verify_export(lines, log_key(world), policy=policy).faults
        }
        with pytest.raises(VerificationFailed):
            policy.open(await world.services.evidence.tiles.checkpoint())
